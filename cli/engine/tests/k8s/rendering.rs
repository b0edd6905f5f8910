//! Every folder renders, and to the same wherever it is.

use odd_engine::compose::Source;
use odd_engine::kubernetes::{KubernetesError, Overlay, Tree};

use crate::bed::{FOLDERS, objects, of_kind, rendered, renderer, root};

#[tokio::test]
async fn what_is_carried_renders_as_the_checkout_does() {
    let renderer = renderer().await;
    let checkout = Tree::of(&Source::Directory(root())).unwrap();
    for folder in FOLDERS {
        let there = renderer.render(&checkout.root().join(folder)).await.unwrap();
        assert!(there == *rendered(folder), "{folder} renders to something else");
    }
}

#[test]
fn an_overlay_is_whole() {
    for overlay in Overlay::ALL {
        let objects = objects(overlay);
        assert!(objects.len() > 40, "{overlay}: {}", objects.len());
        assert_eq!(of_kind(objects, "Namespace").len(), 1, "{overlay}");
        let mut ids: Vec<String> = objects
            .iter()
            .map(|object| format!("{} {}", object["kind"], object["metadata"]["name"]))
            .collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), objects.len(), "{overlay} has an object twice");
    }
}

/// The namespace is one for all, and Kubernetes itself holds its pods to the restricted standard.
#[test]
fn an_overlay_is_of_one_namespace() {
    for (overlay, expected) in [
        (Overlay::Kind, "odd-observatory"),
        (Overlay::KindTools, "odd-observatory"),
        (Overlay::Production, "odd"),
    ] {
        for object in objects(overlay) {
            let metadata = &object["metadata"];
            if object["kind"] == "Namespace" {
                assert_eq!(metadata["name"], expected, "{overlay}");
                let enforced = &metadata["labels"]["pod-security.kubernetes.io/enforce"];
                assert_eq!(enforced, "restricted", "{overlay}");
            } else {
                assert_eq!(metadata["namespace"], expected, "{overlay}: {metadata}");
            }
        }
    }
}

#[tokio::test]
async fn what_does_not_render_is_told() {
    let tree = Tree::of(&Source::Embedded).unwrap();
    let base = tree.root().join("k8s/base/kustomization.yaml");
    let text = std::fs::read_to_string(&base).unwrap();
    std::fs::write(&base, text.replace("web.yaml", "no-such-file.yaml")).unwrap();
    let error = renderer()
        .await
        .render(&tree.overlay(Overlay::Kind))
        .await
        .unwrap_err();
    let told = matches!(&error, KubernetesError::Refused { said, .. } if said.contains("no-such-file.yaml"));
    assert!(told, "{error}");
}
