//! The cluster of kind: made, filled, interrupted and removed. No cluster can run everywhere, so a program in the place of kind keeps note of
//! what it is asked for, and says what kind 0.33 says.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use odd_engine::docker;
use odd_engine::kubernetes::kind::{self, KindOptions};
use odd_engine::kubernetes::{self, ClusterFile, DownOptions, Image, KubernetesError};
use odd_engine::{EngineError, Home, Instance};
use serde_json::json;

use crate::cluster::Told;

/// Files beside it say how it behaves: `refuse` makes it fail, `die` ends it in the middle, `block` keeps it from ending.
const PROGRAM: &str = r#"#!/bin/sh
here=$(dirname "$0")
printf '%s\n' "$*" >>"$here/calls"
case "$1 $2" in
    'version ') cat "$here/version" ;;
    'get clusters')
        if [ -e "$here/cluster" ]; then echo task-observatory; else echo 'No kind clusters found.' >&2; fi ;;
    'create cluster')
        printf 'Creating cluster "task-observatory" ...\n • Ensuring node image (kindest/node:v1.37.0) \360\237\226\274  ...\n' >&2
        if [ -e "$here/refuse" ]; then
            printf ' ✗ Ensuring node image\nERROR: failed to create cluster: failed to pull image "kindest/node:v1.37.0"\n\nCommand Output: no such host\n' >&2
            exit 1
        fi
        : >"$here/cluster"
        if [ -e "$here/die" ]; then kill -TERM $$; fi
        if [ -e "$here/block" ]; then : >"$here/blocked"; exec tail -f /dev/null; fi ;;
    'get kubeconfig') cat "$here/kubeconfig" ;;
    'load docker-image')
        case $3 in absent:*) printf 'ERROR: image: "%s" not present locally\n' "$3" >&2; exit 1 ;; esac ;;
    'delete cluster') rm -f "$here/cluster" ;;
    *) exit 64 ;;
esac
"#;

/// A program in the place of kind, in a folder of its own.
pub(crate) struct StandIn {
    folder: tempfile::TempDir,
}

impl StandIn {
    pub(crate) fn new(kubeconfig: &str) -> Self {
        let it = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        it.write("version", "kind v0.33.0 go1.27.2 linux/amd64\n");
        it.write("kubeconfig", kubeconfig);
        // Written under another name first: a program that is open for writing does not start.
        it.write("kind.new", PROGRAM);
        let made = it.path("kind.new");
        std::fs::set_permissions(&made, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::rename(made, it.program()).unwrap();
        it
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn program(&self) -> PathBuf {
        self.path("kind")
    }

    /// What changed anything, each call by its first two words and the image.
    pub(crate) fn changes(&self) -> Vec<String> {
        let calls = std::fs::read_to_string(self.path("calls")).unwrap();
        let changing = calls
            .lines()
            .filter(|call| !call.starts_with("get ") && *call != "version");
        let short = |call: &str| {
            let words: Vec<&str> = call.split(' ').collect();
            let image = words.get(2).filter(|word| !word.starts_with('-'));
            [words[0], words[1]]
                .into_iter()
                .chain(image.copied())
                .collect::<Vec<_>>()
                .join(" ")
        };
        changing.map(short).collect()
    }
}

pub(crate) fn options(stand_in: &StandIn, image: Option<&str>) -> KindOptions {
    KindOptions {
        kind: stand_in.program(),
        roles: docker::UpOptions {
            program: std::env::current_exe().unwrap(),
            project_dir: None,
            offline: false,
            build: false,
            profiles: Vec::new(),
            scale: std::collections::BTreeMap::new(),
            wait_timeout: Duration::from_secs(60),
            dry_run: false,
        },
        image: image.and_then(Image::parse),
        dry_run: false,
    }
}

fn instance(home: &Path) -> Instance {
    Instance {
        name: "local".parse().unwrap(),
        home: Home::at(home),
        port_offset: 0,
    }
}

fn left(home: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(home).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.retain(|name| name != "kind.lock");
    names.sort();
    names
}

fn reason(error: EngineError) -> KubernetesError {
    match error {
        EngineError::Kubernetes(error) => *error,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn it_is_made_once_and_the_image_is_carried_into_it() {
    let (home, kind_program) = (tempfile::tempdir().unwrap(), StandIn::new("the way to it\n"));
    let (instance, options) = (instance(home.path()), options(&kind_program, Some("odd:test")));
    let told = Told::default();
    let local = kind::ready(&instance, &options, &told.tell())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        std::fs::read_to_string(&local.kubeconfig).unwrap(),
        "the way to it\n"
    );
    let mode = local.kubeconfig.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it is as good as a password");
    assert_eq!(local.image, Image::parse("odd:test"));
    let notices = told.notices();
    assert!(
        notices.contains(&"Ensuring node image (kindest/node:v1.37.0)".to_owned()),
        "{notices:?}"
    );
    let again = kind::ready(&instance, &options, &told.tell()).await.unwrap();
    assert_eq!(again, Some(local));
    assert_eq!(
        kind_program.changes(),
        [
            "create cluster",
            "load docker-image odd:test",
            "load docker-image odd:test"
        ]
    );
}

#[tokio::test]
async fn an_image_that_is_not_here_is_pulled_by_the_nodes() {
    let (home, kind_program) = (tempfile::tempdir().unwrap(), StandIn::new(""));
    let told = Told::default();
    let options = options(&kind_program, Some("absent:1"));
    let local = kind::ready(&instance(home.path()), &options, &told.tell())
        .await
        .unwrap();
    assert_eq!(local.unwrap().image, Image::parse("absent:1"));
    let notices = told.notices().join("\n");
    assert!(notices.contains("its nodes have to pull absent:1"), "{notices}");
}

#[tokio::test]
async fn where_it_cannot_be_made_the_reason_is_told_and_nothing_is_left() {
    let (home, kind_program) = (tempfile::tempdir().unwrap(), StandIn::new(""));
    kind_program.write("refuse", "");
    let told = Told::default();
    let options = options(&kind_program, Some("odd:test"));
    let error = kind::ready(&instance(home.path()), &options, &told.tell())
        .await
        .unwrap_err();
    assert_eq!(
        reason(error).to_string(),
        "kind cannot make the cluster: failed to create cluster: failed to pull image \"kindest/node:v1.37.0\" Command Output: no such host"
    );
    assert_eq!(left(home.path()), Vec::<String>::new());
}

/// Begins to make a cluster, and is interrupted in the middle.
async fn interrupted(instance: &Instance, stand_in: &StandIn) {
    stand_in.write("block", "");
    let told = Told::default();
    let options = options(stand_in, Some("odd:test"));
    let blocked = async {
        while !stand_in.path("blocked").exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let tell = told.tell();
    tokio::select! {
        made = kind::ready(instance, &options, &tell) => panic!("it does not end: {made:?}"),
        done = tokio::time::timeout(Duration::from_secs(60), blocked) => done.unwrap(),
    }
    std::fs::remove_file(stand_in.path("block")).unwrap();
    assert!(stand_in.path("cluster").exists(), "a part of it is there");
}

#[tokio::test]
async fn what_is_left_of_an_interrupted_start_is_removed() {
    let (home, kind_program) = (tempfile::tempdir().unwrap(), StandIn::new(""));
    let instance = instance(home.path());
    interrupted(&instance, &kind_program).await;
    assert!(
        kind::give_up(&instance.home, &kind_program.program())
            .await
            .unwrap()
    );
    assert_eq!(left(home.path()), Vec::<String>::new());
    assert!(!kind_program.path("cluster").exists());
    let again = kind::give_up(&instance.home, &kind_program.program()).await;
    assert!(!again.unwrap(), "there is nothing to remove");
}

#[tokio::test]
async fn what_another_process_is_making_is_left_to_it() {
    let (home, kind_program) = (tempfile::tempdir().unwrap(), StandIn::new(""));
    let instance = instance(home.path());
    interrupted(&instance, &kind_program).await;
    let record = home.path().join("kind.json");
    let text = std::fs::read_to_string(&record).unwrap();
    let other = text.replace(&std::process::id().to_string(), "1");
    std::fs::write(&record, other).unwrap();
    assert!(
        !kind::give_up(&instance.home, &kind_program.program())
            .await
            .unwrap()
    );
    assert_eq!(kind_program.changes(), ["create cluster"]);
}

#[tokio::test]
async fn where_kind_is_ended_in_the_middle_nothing_is_left() {
    let (home, kind_program) = (tempfile::tempdir().unwrap(), StandIn::new(""));
    kind_program.write("die", "");
    let told = Told::default();
    let options = options(&kind_program, Some("odd:test"));
    let error = kind::ready(&instance(home.path()), &options, &told.tell())
        .await
        .unwrap_err();
    let error = reason(error).to_string();
    assert!(
        error.starts_with("kind was to make the cluster, and was ended: signal: 15"),
        "{error}"
    );
    assert_eq!(kind_program.changes(), ["create cluster", "delete cluster"]);
    assert_eq!(left(home.path()), Vec::<String>::new());
}

#[tokio::test]
async fn after_a_start_that_was_killed_nobodys_cluster_is_removed() {
    let (home, kind_program) = (tempfile::tempdir().unwrap(), StandIn::new(""));
    let instance = instance(home.path());
    interrupted(&instance, &kind_program).await;
    let told = Told::default();
    let options = options(&kind_program, Some("odd:test"));
    let error = kind::ready(&instance, &options, &told.tell()).await.unwrap_err();
    let error = reason(error);
    assert!(matches!(error, KubernetesError::KindHalf), "{error}");
    assert!(
        error
            .remedy()
            .contains("kind delete cluster --name task-observatory"),
        "{}",
        error.remedy()
    );
    assert_eq!(kind_program.changes(), ["create cluster"], "it may be somebody's");
    // Who removes it by hand can start.
    std::fs::remove_file(kind_program.path("cluster")).unwrap();
    let _ = kind::ready(&instance, &options, &told.tell())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        kind_program.changes()[1..],
        ["create cluster", "load docker-image odd:test"]
    );
}

#[tokio::test]
async fn an_instance_is_in_the_cluster_as_soon_as_that_is_made() {
    let (home, kind_program) = (
        tempfile::tempdir().unwrap(),
        StandIn::new("clusters: [{cluster: {server: 'https://127.0.0.1:1/'}}]\n"),
    );
    let instance = instance(home.path());
    let told = Told::default();
    let options = options(&kind_program, Some("odd:test"));
    let local = kind::ready(&instance, &options, &told.tell())
        .await
        .unwrap()
        .unwrap();
    let file = ClusterFile::of(&instance).unwrap().unwrap();
    assert_eq!(
        (
            file.up,
            file.kind.as_deref(),
            file.server.as_str(),
            file.kubeconfig
        ),
        (
            true,
            Some(kind::CLUSTER),
            "https://127.0.0.1:1",
            Some(local.kubeconfig)
        )
    );
}

#[tokio::test]
async fn a_dry_run_makes_nothing() {
    let (home, kind_program) = (tempfile::tempdir().unwrap(), StandIn::new(""));
    let told = Told::default();
    let options = KindOptions {
        dry_run: true,
        ..options(&kind_program, None)
    };
    let local = kind::ready(&instance(home.path()), &options, &told.tell())
        .await
        .unwrap();
    assert_eq!(local, None);
    assert_eq!(kind_program.changes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_kind_that_is_missing_or_too_old_is_told_with_what_helps() {
    let (home, kind_program) = (tempfile::tempdir().unwrap(), StandIn::new(""));
    let told = Told::default();
    let mut options = options(&kind_program, None);
    kind_program.write("version", "kind v0.11.1 go1.16.4 linux/amd64\n");
    let error = kind::ready(&instance(home.path()), &options, &told.tell())
        .await
        .unwrap_err();
    let error = reason(error);
    assert_eq!(error.to_string(), "kind 0.11.1 is too old");
    assert!(error.remedy().contains("0.23.0 or later"), "{}", error.remedy());
    options.kind = home.path().join("none");
    let error = kind::ready(&instance(home.path()), &options, &told.tell())
        .await
        .unwrap_err();
    assert_eq!(reason(error).to_string(), "kind is not installed");
}

#[tokio::test]
async fn an_instance_of_a_cluster_that_is_gone_is_down_and_nobody_is_asked() {
    let (home, kind_program) = (tempfile::tempdir().unwrap(), StandIn::new(""));
    let instance = instance(home.path());
    let file = json!({
        "version": 1, "up": true, "context": kind::CONTEXT, "kubeconfig": home.path().join("kind.kubeconfig"), "kind": kind::CLUSTER,
        "namespace": "odd-local", "server": "https://127.0.0.1:1", "clusterUid": null, "portOffset": 0, "release": "0.1.0",
        "startedAt": "2026-11-22T00:00:00Z", "tools": false, "scale": {}, "image": null,
    });
    let file: ClusterFile = serde_json::from_value(file).unwrap();
    file.save(&instance).unwrap();
    let told = Told::default();
    let options = DownOptions {
        deadline: Duration::from_secs(60),
        volumes: true,
        forget: false,
        kind: kind_program.program(),
    };
    let down = kubernetes::down(&instance, &options, &told.tell()).await.unwrap();
    assert!(down.gone && down.objects.is_empty() && !down.cluster, "{down:?}");
    assert!(!instance.directory().exists());
    // Another container engine may be asked than before: without the data, what is known is kept.
    file.save(&instance).unwrap();
    let options = DownOptions {
        volumes: false,
        ..options
    };
    let down = kubernetes::down(&instance, &options, &told.tell()).await.unwrap();
    assert!(down.gone, "{down:?}");
    let kept = ClusterFile::of(&instance).unwrap().unwrap();
    assert_eq!(kept, ClusterFile { up: false, ..file });
}
