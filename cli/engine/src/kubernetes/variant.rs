//! An overlay with the name, the image and the numbers of one instance: a kustomization on top of it, so that what is applied is what anybody
//! would get who wrote these lines by hand.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{KubernetesError, Overlay, Tree};
use crate::instance::InstanceName;

/// The image of the roles, as the manifests name it.
const ROLES: &str = "ghcr.io/oddessentials/odd";
/// What a configuration in the overlays is generated in.
const NAMESPACE_OF_OVERLAY: &str = "odd-observatory";
/// Who made an object, and for which instance.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The instance that an object is part of.
pub const INSTANCE: &str = "app.kubernetes.io/instance";

/// An image, in the place of the one that the manifests name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Registry and repository.
    pub name: String,
    /// Tag.
    pub tag: String,
}

impl Image {
    /// Of a reference such as `ghcr.io/oddessentials/odd:0.1.0`; none where it has no tag.
    pub fn parse(reference: &str) -> Option<Self> {
        let (name, tag) = reference.rsplit_once(':')?;
        // A port of the registry stands before a slash.
        (!name.is_empty() && !tag.is_empty() && !tag.contains('/')).then(|| Self {
            name: name.to_owned(),
            tag: tag.to_owned(),
        })
    }
}

/// What one instance is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// The instance.
    pub instance: InstanceName,
    /// Whether administrative pages are among it.
    pub tools: bool,
    /// The image of the roles, where it is another one.
    pub image: Option<Image>,
    /// Numbers of pods by Deployment, where they are others.
    pub scale: BTreeMap<String, u32>,
}

/// A kustomization of an instance, on this machine for as long as this lives.
pub struct Folder {
    folder: TempDir,
}

impl Folder {
    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Variant {
    /// The namespace of an instance.
    pub fn namespace(instance: &InstanceName) -> String {
        format!("odd-{instance}")
    }

    /// Writes it beside nothing of the user's, on top of the manifests of a tree.
    ///
    /// # Errors
    /// Whatever the file system refuses.
    pub fn write(&self, tree: &Tree) -> Result<Folder, KubernetesError> {
        let refused = |path: &Path, source| KubernetesError::Io {
            action: "write a kustomization to",
            path: path.to_owned(),
            source,
        };
        let temporary = std::env::temp_dir();
        let folder = tempfile::Builder::new().prefix("odd-instance-").tempdir();
        let folder = folder.map_err(|source| refused(&temporary, source))?;
        let resolved = |path: &Path| path.canonicalize().map_err(|source| refused(path, source));
        let from = resolved(folder.path())?;
        let to = resolved(&tree.overlay(self.overlay()))?;
        let file = folder.path().join("kustomization.yaml");
        let text = format!("{:#}\n", self.kustomization(&relative(&from, &to)));
        std::fs::write(&file, text).map_err(|source| refused(&file, source))?;
        Ok(Folder { folder })
    }

    const fn overlay(&self) -> Overlay {
        match self.tools {
            true => Overlay::KindTools,
            false => Overlay::Kind,
        }
    }

    /// JSON, which is YAML as well.
    fn kustomization(&self, base: &Path) -> Value {
        let name = self.instance.as_str();
        let mut text = json!({
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namespace": Self::namespace(&self.instance),
            "resources": [base],
            "labels": [{"pairs": {MANAGED_BY: "odd", INSTANCE: name}}],
            "configMapGenerator": [{
                "name": "odd-settings",
                "namespace": NAMESPACE_OF_OVERLAY,
                "behavior": "merge",
                "literals": [format!("ODD_INSTANCE={name}")],
            }],
        });
        if let Some(Image { name, tag }) = &self.image {
            text["images"] = json!([{"name": ROLES, "newName": name, "newTag": tag}]);
        }
        if !self.scale.is_empty() {
            let one = |(name, count): (&String, &u32)| json!({"name": name, "count": count});
            text["replicas"] = self.scale.iter().map(one).collect();
        }
        text
    }
}

/// The way from a folder to another one, both absolute: kustomize takes no other.
fn relative(from: &Path, to: &Path) -> PathBuf {
    let (from, to): (Vec<Component<'_>>, Vec<Component<'_>>) =
        (from.components().collect(), to.components().collect());
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = from[common..].iter().map(|_| Component::ParentDir);
    up.chain(to[common..].iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_a_name_and_a_tag() {
        let parsed = |reference| Image::parse(reference).map(|it| (it.name, it.tag));
        let two = |name: &str, tag: &str| Some((name.to_owned(), tag.to_owned()));
        assert_eq!(parsed("odd:1"), two("odd", "1"));
        assert_eq!(parsed("localhost:5000/odd:1"), two("localhost:5000/odd", "1"));
        for bad in ["odd", "localhost:5000/odd", ":1", "odd:"] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_way_between_folders_goes_over_what_they_share() {
        assert_eq!(
            relative(Path::new("/tmp/a"), Path::new("/tmp/tree/k8s/overlays/kind")),
            Path::new("../tree/k8s/overlays/kind")
        );
        assert_eq!(
            relative(Path::new("/tmp/a"), Path::new("/home/x")),
            Path::new("../../home/x")
        );
    }

    #[test]
    fn what_is_not_asked_for_is_left_as_the_overlay_has_it() {
        let variant = Variant {
            instance: "demo".parse().unwrap(),
            tools: false,
            image: None,
            scale: BTreeMap::new(),
        };
        let text = variant.kustomization(Path::new("../x"));
        assert_eq!(text["namespace"], "odd-demo");
        assert!(
            text.get("images").is_none() && text.get("replicas").is_none(),
            "{text}"
        );
    }
}
