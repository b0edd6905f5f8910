//! The life of an instance in a cluster: started, looked at, changed, restarted, taken out and started again.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim, Secret};
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use odd_engine::compose::Source;
use odd_engine::kubernetes::cluster::{Action, ClusterError};
use odd_engine::kubernetes::{
    self, ClusterFile, ClusterStatus, DownOptions, Prepared, UpOptions, kind, prepare,
};
use odd_engine::{EngineError, Home, Instance};

use super::Told;
use crate::api::Conversation;
use crate::bed;
use crate::kind::{StandIn, options};

const HERE: &str = "odd-life";
const LONG: Duration = Duration::from_secs(120);

/// A role and a server, as the manifests have them, without what makes a recording long.
const MANIFESTS: &str = r"
apiVersion: v1
kind: Namespace
metadata: {name: odd-observatory, labels: {app.kubernetes.io/part-of: odd}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: gateway}
spec:
  selector: {matchLabels: {app.kubernetes.io/name: gateway}}
  template:
    metadata: {labels: {app.kubernetes.io/name: gateway}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - {name: gateway, image: ghcr.io/oddessentials/odd, envFrom: [{configMapRef: {name: odd-settings}}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: postgres}
spec:
  serviceName: postgres
  selector: {matchLabels: {app.kubernetes.io/name: postgres}}
  template:
    metadata: {labels: {app.kubernetes.io/name: postgres}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: postgres, image: 'postgres:17'}]
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
";

/// Writes the manifests of an overlay with these settings.
fn manifests(root: &Path, level: &str) {
    let (base, overlay) = (root.join("k8s/base"), root.join("k8s/overlays/kind"));
    std::fs::create_dir_all(&base).unwrap();
    std::fs::create_dir_all(&overlay).unwrap();
    let header = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n";
    std::fs::write(base.join("kustomization.yaml"), header).unwrap();
    std::fs::write(overlay.join("all.yaml"), MANIFESTS).unwrap();
    let text = format!(
        "{header}namespace: odd-observatory\nresources: [all.yaml]\n\
         configMapGenerator: [{{name: odd-settings, literals: [ODD_LOG={level}]}}]\n"
    );
    std::fs::write(overlay.join("kustomization.yaml"), text).unwrap();
}

/// An instance in the cluster of a conversation.
struct Life<'a> {
    instance: Instance,
    options: UpOptions,
    conversation: &'a Conversation,
    kind: StandIn,
}

impl Life<'_> {
    async fn prepare(&self) -> Prepared {
        let told = Told::default();
        prepare(&self.instance, &self.options, &told.tell())
            .await
            .unwrap()
    }

    /// Starts it, and tells whether that changed anything.
    async fn up(&self) -> bool {
        let told = Told::default();
        self.prepare()
            .await
            .carry_out(None, &told.tell())
            .await
            .unwrap()
            .changed
    }

    fn file(&self) -> ClusterFile {
        ClusterFile::of(&self.instance).unwrap().unwrap()
    }

    async fn status(&self) -> ClusterStatus {
        kubernetes::status(&self.instance, &self.file()).await.unwrap()
    }

    async fn down(&self, volumes: bool) -> Vec<String> {
        let told = Told::default();
        let options = DownOptions {
            deadline: LONG,
            volumes,
            forget: false,
            kind: self.kind.program(),
        };
        let down = kubernetes::down(&self.instance, &options, &told.tell()).await;
        let mut names: Vec<String> = down.unwrap().objects.iter().map(ToString::to_string).collect();
        names.retain(|name| !name.starts_with("configmap/odd-settings-"));
        names
    }

    /// What is kept while the instance is down.
    async fn kept(&self) -> (usize, usize) {
        let client = self.conversation.client().await;
        let all = ListParams::default();
        let secrets: Api<Secret> = Api::namespaced(client.clone(), HERE);
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(client, HERE);
        let secrets = secrets.list(&all).await.unwrap().items.len();
        (secrets, claims.list(&all).await.unwrap().items.len())
    }
}

fn ready(status: &ClusterStatus) -> Vec<String> {
    let part =
        |part: &kubernetes::cluster::Part| format!("{} {}/{}", part.object.name, part.ready, part.wanted);
    status.parts.iter().map(part).collect()
}

#[tokio::test]
async fn an_instance_is_started_changed_restarted_taken_out_and_started_again_with_its_data() {
    let conversation = Conversation::start("life", &[HERE]).await;
    let home = tempfile::tempdir().unwrap();
    let tree = tempfile::tempdir().unwrap();
    manifests(tree.path(), "info");
    // The cluster is one that kind made, by a program in its place: it goes with the data of the instance.
    let kind_program = StandIn::new(&std::fs::read_to_string(conversation.kubeconfig()).unwrap());
    let instance = Instance {
        name: "life".parse().unwrap(),
        home: Home::at(home.path()),
        port_offset: 0,
    };
    let told = Told::default();
    let wanted = options(&kind_program, Some("ghcr.io/oddessentials/odd:test"));
    let local = kind::ready(&instance, &wanted, &told.tell())
        .await
        .unwrap()
        .unwrap();
    let mut life = Life {
        instance,
        options: UpOptions {
            context: Some(conversation.context().to_owned()),
            kubeconfig: Some(local.kubeconfig),
            kind: Some(kind::CLUSTER.to_owned()),
            source: Source::Directory(tree.path().to_owned()),
            renderer: Some(bed::renderer().await),
            tools: false,
            image: None,
            keep_image: true,
            scale: BTreeMap::new(),
            force: false,
            wait_timeout: LONG,
        },
        conversation: &conversation,
        kind: kind_program,
    };

    let first = life.prepare().await;
    assert!(
        first.steps.iter().all(|step| step.action == Action::Create),
        "{:?}",
        first.steps
    );
    assert_eq!((first.steps.len(), first.leftovers.len()), (5, 0));
    assert!(life.up().await);
    assert_eq!(ready(&life.status().await), ["gateway 1/1", "postgres 1/1"]);
    assert!(
        !life.prepare().await.changes_anything(),
        "the passwords are those of the cluster"
    );
    assert!(!life.up().await);

    // Settings under another name, and more pods.
    manifests(tree.path(), "debug");
    life.options.scale.insert("gateway".to_owned(), 2);
    let changed = life.prepare().await;
    let leftovers: Vec<&str> = changed
        .leftovers
        .iter()
        .map(|object| object.kind.as_str())
        .collect();
    assert_eq!(
        leftovers,
        ["ConfigMap"],
        "the settings of before are wanted no more"
    );
    assert!(life.up().await);
    assert_eq!(ready(&life.status().await), ["gateway 2/2", "postgres 1/1"]);

    // A database is not scaled.
    life.options.scale.insert("postgres".to_owned(), 2);
    let told = Told::default();
    let error = prepare(&life.instance, &life.options, &told.tell())
        .await
        .err()
        .unwrap();
    assert_eq!(error.to_string(), "postgres cannot be scaled; gateway can");
    life.options.scale.remove("postgres");

    let told = Told::default();
    let one = ["gateway".to_owned()];
    let restarted = kubernetes::restart(&life.instance, &life.file(), &one, LONG, &told.tell()).await;
    assert_eq!(restarted.unwrap().0, one);
    let none = ["nobody".to_owned()];
    let error = kubernetes::restart(&life.instance, &life.file(), &none, LONG, &told.tell())
        .await
        .unwrap_err();
    let is_told =
        matches!(&error, EngineError::Cluster(error) if matches!(**error, ClusterError::NoSuchPart { .. }));
    assert!(is_told, "{error}");

    assert_eq!(
        life.down(false).await,
        ["deployment/gateway", "statefulset/postgres"]
    );
    assert_eq!(life.kept().await, (1, 1), "passwords and data stay");
    assert!(!life.file().up);
    assert_eq!(
        life.down(false).await,
        Vec::<String>::new(),
        "nothing is left to remove"
    );
    assert!(life.up().await);
    assert_eq!(life.kept().await, (1, 1));

    // Without its Secret nobody gets at what is in the volumes: other passwords would only lock it for good.
    let secrets: Api<Secret> = Api::namespaced(conversation.client().await, HERE);
    secrets
        .delete("odd-secrets", &DeleteParams::default())
        .await
        .unwrap();
    let told = Told::default();
    let error = prepare(&life.instance, &life.options, &told.tell())
        .await
        .err()
        .unwrap();
    let is_told = matches!(&error, EngineError::Cluster(error) if matches!(**error, ClusterError::PasswordsLost { .. }));
    assert!(is_told, "{error}");
    let all = life.down(true).await;
    assert!(all.contains(&"namespace/odd-life".to_owned()), "{all:?}");
    assert_eq!(ClusterFile::of(&life.instance).unwrap(), None);
    // Other tests put namespaces into a real cluster at the same time.
    let namespaces: Api<Namespace> = Api::all(conversation.client().await);
    let all = namespaces.list_metadata(&ListParams::default()).await.unwrap();
    let names = all.items.into_iter().filter_map(|item| item.metadata.name);
    let used = names
        .filter(|name| name != "default" && !name.starts_with("kube-"))
        .count()
        > 0;
    assert!(
        used || life
            .kind
            .changes()
            .last()
            .is_some_and(|call| call == "delete cluster"),
        "{:?}",
        life.kind.changes()
    );
    conversation.finish().await;
}
