//! Rendering by `kustomize`, or by `kubectl`, which has it inside.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

use super::KubernetesError;
use super::program::{Bounds, Said, run};
use crate::compose::json;

/// Time and bytes that a program may take to tell its version.
const OF_VERSION: Bounds = Bounds {
    time: Duration::from_secs(20),
    bytes: 64 * 1024,
};
/// Time and bytes that it may take to render.
const OF_RENDERING: Bounds = Bounds {
    time: Duration::from_secs(60),
    bytes: json::MAX_BYTES,
};

/// A version of kustomize.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(u32, u32, u32);

/// The oldest one that is known to render these manifests.
pub(super) const OLDEST: Version = Version(4, 5, 4);
/// The first kubectl that has that one inside, and tells so.
pub(super) const OLDEST_KUBECTL: &str = "1.24";

impl Version {
    /// The first `v1.2.3` in a text.
    fn within(text: &str) -> Option<Self> {
        text.match_indices('v').find_map(|(at, _)| {
            let rest = &text[at + 1..];
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
            let mut parts = rest[..end.unwrap_or(rest.len())].split('.');
            let mut part = || parts.next()?.parse().ok();
            Some(Self(part()?, part()?, part()?))
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// A program that renders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    Kustomize,
    Kubectl,
}

impl Program {
    const fn name(self) -> &'static str {
        match self {
            Self::Kustomize => "kustomize",
            Self::Kubectl => "kubectl",
        }
    }

    const fn version(self) -> &'static [&'static str] {
        match self {
            Self::Kustomize => &["version"],
            Self::Kubectl => &["version", "--client", "--output=json"],
        }
    }

    const fn render(self) -> &'static str {
        match self {
            Self::Kustomize => "build",
            Self::Kubectl => "kustomize",
        }
    }

    /// The version of kustomize that it is or has, as far as it tells; what is wrong with it where it cannot be used.
    fn judge(self, said: &Said) -> Result<Option<Version>, String> {
        let name = self.name();
        if !said.status.success() {
            return Err(format!("{name} does not tell its version: {}", said.errors));
        }
        let answer = String::from_utf8_lossy(&said.answer);
        let version = match self {
            // One that somebody built himself says `(devel)`: what it can is seen when it renders.
            Self::Kustomize => Version::within(&answer),
            Self::Kubectl => {
                let told: Value = serde_json::from_str(&answer).unwrap_or_default();
                let inside = told["kustomizeVersion"].as_str().and_then(Version::within);
                let Some(inside) = inside else {
                    return Err(format!("{name} is older than {OLDEST_KUBECTL}"));
                };
                Some(inside)
            }
        };
        match version {
            Some(version) if version < OLDEST => Err(match self {
                Self::Kustomize => format!("{name} is {version}, which is older than {OLDEST}"),
                Self::Kubectl => format!("{name} has kustomize {version}, which is older than {OLDEST}"),
            }),
            version => Ok(version),
        }
    }
}

/// A program that renders, and was found able to.
#[derive(Clone, Debug)]
pub struct Renderer {
    program: Program,
    version: Option<Version>,
    path: Option<OsString>,
}

impl Renderer {
    /// `kustomize`, else `kubectl`, of the `PATH` of this process, or of `path` in its place.
    ///
    /// # Errors
    /// Where there is neither, or none that is new enough.
    pub async fn find(path: Option<&OsStr>) -> Result<Self, KubernetesError> {
        let mut tried = Vec::new();
        for program in [Program::Kustomize, Program::Kubectl] {
            let mut found = Self {
                program,
                version: None,
                path: path.map(OsStr::to_owned),
            };
            match found.ask().await {
                Ok(version) => {
                    found.version = version;
                    return Ok(found);
                }
                Err(reason) => tried.push(reason),
            }
        }
        Err(KubernetesError::NoRenderer { tried })
    }

    async fn ask(&self) -> Result<Option<Version>, String> {
        let name = self.program.name();
        let said = run(name, self.command().args(self.program.version()), OF_VERSION).await;
        match said {
            Ok(said) => self.program.judge(&said),
            Err(KubernetesError::Program { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Err(format!("{name} is not installed"))
            }
            Err(error) => Err(crate::error::chain(&error)),
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.program.name());
        if let Some(path) = &self.path {
            command.env("PATH", path);
        }
        command
    }

    /// What `kubectl apply -k` would apply of a folder.
    ///
    /// # Errors
    /// Whatever the program refuses, and what passes a bound of time or size.
    pub async fn render(&self, folder: &Path) -> Result<Rendered, KubernetesError> {
        let mut command = self.command();
        command.arg(self.program.render()).arg(folder);
        let said = run(&self.to_string(), &mut command, OF_RENDERING).await?;
        if !said.status.success() {
            return Err(KubernetesError::Refused {
                program: self.to_string(),
                folder: folder.display().to_string(),
                said: match said.errors.is_empty() {
                    true => format!("it ended with {}", said.status),
                    false => said.errors,
                },
            });
        }
        self.rendered(said.answer)
    }

    fn rendered(&self, answer: Vec<u8>) -> Result<Rendered, KubernetesError> {
        let wrong = |reason: String| KubernetesError::NotManifests {
            program: self.to_string(),
            reason,
        };
        let text = String::from_utf8(answer).map_err(|_| wrong("it is no UTF-8".to_owned()))?;
        let documents = json::documents("rendered", &text).map_err(|error| wrong(error.to_string()))?;
        let nameless = documents.iter().find(|document| {
            let is_text = |at: &str| document.pointer(at).is_some_and(Value::is_string);
            !["/apiVersion", "/kind", "/metadata/name"]
                .into_iter()
                .all(is_text)
        });
        match nameless {
            Some(document) => {
                let beginning: String = document.to_string().chars().take(80).collect();
                Err(wrong(format!("it has no apiVersion, kind or name: {beginning}")))
            }
            None => Ok(Rendered { text, documents }),
        }
    }
}

impl fmt::Display for Renderer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.program, self.version) {
            (Program::Kustomize, Some(version)) => write!(f, "kustomize {version}"),
            (Program::Kustomize, None) => f.write_str("kustomize"),
            (Program::Kubectl, Some(version)) => write!(f, "kubectl with kustomize {version}"),
            (Program::Kubectl, None) => f.write_str("kubectl"),
        }
    }
}

/// Manifests as they would be applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// As YAML, one document an object.
    pub text: String,
    /// The same objects. Each has an `apiVersion`, a `kind` and a name.
    pub documents: Vec<Value>,
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const KUBECTL: &str = r#"echo '{"clientVersion": {"gitVersion": "v1.20.2"}}'"#;
    const MANIFEST: &str = "echo 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: x'";

    /// A folder with programs of these names, each a shell script.
    #[expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]
    fn programs(scripts: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, script) in scripts {
            let path = folder.path().join(name);
            // Another test that forks now must not hold it open for writing: it could not be run.
            let beside = folder.path().join("new");
            std::fs::write(&beside, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&beside, PermissionsExt::from_mode(0o755)).unwrap();
            let copied = std::process::Command::new("cp")
                .arg("-p")
                .args([&beside, &path])
                .status();
            assert!(copied.unwrap().success());
        }
        folder
    }

    async fn found(scripts: &[(&str, &str)]) -> Result<Renderer, KubernetesError> {
        let folder = programs(scripts);
        Renderer::find(Some(folder.path().as_os_str())).await
    }

    async fn rendered(script: &str) -> Result<Rendered, KubernetesError> {
        let script = format!("case $1 in version) echo v5.6.0 ;; *) {script} ;; esac");
        let folder = programs(&[("kustomize", &script)]);
        let renderer = Renderer::find(Some(folder.path().as_os_str())).await?;
        renderer.render(Path::new("k8s/x")).await
    }

    #[tokio::test]
    async fn one_that_is_new_enough_is_taken() {
        let old = "echo '{Version:kustomize/v3.8.7 GitCommit:ad0 BuildDate:2020}'";
        let new = "echo '{Version:kustomize/v4.5.4 GitCommit:cf3 BuildDate:2022}'";
        let inside = r#"echo '{"clientVersion": {"gitVersion": "v1.32.4"}, "kustomizeVersion": "v5.5.0"}'"#;
        for (scripts, expected) in [
            (&[("kustomize", new)][..], "kustomize 4.5.4"),
            (&[("kustomize", "echo '(devel)'")], "kustomize"),
            (
                &[("kustomize", "echo v5.6.0"), ("kubectl", inside)],
                "kustomize 5.6.0",
            ),
            (
                &[("kustomize", old), ("kubectl", inside)],
                "kubectl with kustomize 5.5.0",
            ),
            (
                &[("kustomize", "echo no >&2; exit 1"), ("kubectl", inside)],
                "kubectl with kustomize 5.5.0",
            ),
        ] {
            assert_eq!(found(scripts).await.unwrap().to_string(), expected);
        }
    }

    #[tokio::test]
    async fn where_none_can_render_each_is_told_with_its_reason() {
        let error = found(&[]).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "no program here renders the manifests: kustomize is not installed; kubectl is not installed"
        );
        assert!(
            error
                .remedy()
                .ends_with("(kustomize 4.5.4 or later, or kubectl 1.24 or later)")
        );
        let old = [("kustomize", "echo v4.0.5"), ("kubectl", KUBECTL)];
        assert_eq!(
            found(&old).await.unwrap_err().to_string(),
            "no program here renders the manifests: kustomize is 4.0.5, which is older than 4.5.4; kubectl is older than 1.24"
        );
    }

    #[tokio::test]
    async fn kubectl_is_asked_in_its_own_words() {
        let script = format!(
            r#"if [ "$1" = version ]; then echo '{{"kustomizeVersion": "v5.5.0"}}'; else [ "$*" = "kustomize k8s/x" ] && {MANIFEST}; fi"#
        );
        let folder = programs(&[("kubectl", &script)]);
        let renderer = Renderer::find(Some(folder.path().as_os_str())).await.unwrap();
        let rendered = renderer.render(Path::new("k8s/x")).await.unwrap();
        assert_eq!(rendered.documents[0]["kind"], "Namespace");
    }

    #[tokio::test]
    async fn what_it_refuses_is_told_in_its_words() {
        let error = rendered("echo 'Error: no such file' >&2; exit 1")
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "kustomize 5.6.0 refuses k8s/x: Error: no such file"
        );
        let error = rendered("exit 7").await.unwrap_err();
        assert!(error.to_string().contains("exit status: 7"), "{error}");
    }

    #[tokio::test]
    async fn only_manifests_are_taken() {
        assert_eq!(rendered(MANIFEST).await.unwrap().documents.len(), 1);
        for (script, expected) in [
            ("echo 'a: ['", "this is no YAML"),
            ("echo 'kind: List'", "it has no apiVersion, kind or name"),
            ("printf '\\377'", "it is no UTF-8"),
        ] {
            let error = rendered(script).await.unwrap_err();
            assert!(
                matches!(&error, KubernetesError::NotManifests { reason, .. } if reason.contains(expected)),
                "{error}"
            );
        }
    }
}
