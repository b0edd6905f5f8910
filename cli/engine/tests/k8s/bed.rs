//! What every test here looks at: the overlays, rendered once.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use odd_engine::compose::Source;
use odd_engine::kubernetes::{Overlay, Rendered, Renderer, Tree};
use serde_json::Value;

/// Folders that are rendered: what is applied, what that is made of, and what it may stand on.
pub(crate) const FOLDERS: [&str; 5] = [
    "k8s/base",
    "k8s/overlays/kind",
    "k8s/overlays/kind-tools",
    "k8s/overlays/production",
    "k8s/operators",
];

/// Paths of the tools by name, as the script prints them.
static TOOLS: LazyLock<BTreeMap<String, PathBuf>> = LazyLock::new(|| {
    let script = root().join("scripts/kustomize.sh");
    let output = Command::new(&script).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "the tools of these tests are missing, and {} does not install them:\n{said}",
        script.display()
    );
    let lines = String::from_utf8(output.stdout).unwrap();
    let line = |line: &str| {
        let (name, path) = line.split_once('\t').unwrap();
        (name.to_owned(), PathBuf::from(path))
    };
    lines.lines().map(line).collect()
});

/// Everything that is rendered, by folder.
static RENDERED: LazyLock<BTreeMap<&'static str, Rendered>> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let renderer = renderer().await;
        let tree = Tree::of(&Source::Embedded).unwrap();
        let mut all = BTreeMap::new();
        for folder in FOLDERS {
            let rendered = renderer.render(&tree.root().join(folder)).await;
            all.insert(
                folder,
                rendered.unwrap_or_else(|error| panic!("{folder}: {error}")),
            );
        }
        all
    })
});

/// The checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A file of the checkout.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Path of a tool.
pub(crate) fn tool(name: &str) -> &'static Path {
    &TOOLS[name]
}

/// The pinned kustomize. A `kubectl` of this machine is not looked for.
pub(crate) async fn renderer() -> Renderer {
    let folder = tool("kustomize").parent().unwrap();
    let found = Renderer::find(Some(folder.as_os_str())).await;
    found.unwrap_or_else(|error| panic!("{error}"))
}

/// What a folder renders to.
pub(crate) fn rendered(folder: &str) -> &'static Rendered {
    &RENDERED[folder]
}

/// The objects of an overlay.
pub(crate) fn objects(overlay: Overlay) -> &'static [Value] {
    &rendered(overlay.folder()).documents
}

/// Those of a kind.
pub(crate) fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

/// Deployments and StatefulSets.
pub(crate) fn workloads(objects: &[Value]) -> Vec<&Value> {
    let is_one = |object: &&Value| object["kind"] == "Deployment" || object["kind"] == "StatefulSet";
    objects.iter().filter(is_one).collect()
}

/// The name of an object.
pub(crate) fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap()
}

/// The pod of a workload.
pub(crate) fn pod(workload: &Value) -> &Value {
    &workload["spec"]["template"]["spec"]
}

/// Items of a list; none where it is absent.
pub(crate) fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A text; empty where it is none.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The one container of a workload.
pub(crate) fn container(workload: &Value) -> &Value {
    let containers = items(&pod(workload)["containers"]);
    assert_eq!(containers.len(), 1, "{}", name(workload));
    &containers[0]
}

/// Whether a selector of labels (`matchLabels` and `matchExpressions` with `In`) takes these labels.
pub(crate) fn selects(selector: &Value, labels: &Value) -> bool {
    let equal = selector["matchLabels"].as_object().into_iter().flatten();
    let within = items(&selector["matchExpressions"]);
    equal.into_iter().all(|(key, value)| labels[key] == *value)
        && within.iter().all(|expression| {
            assert_eq!(expression["operator"], "In", "{expression}");
            items(&expression["values"]).contains(&labels[text(&expression["key"])])
        })
}

/// Workloads whose pods a selector takes.
pub(crate) fn selected<'a>(objects: &'a [Value], selector: &Value) -> Vec<&'a Value> {
    let takes = |workload: &&Value| selects(selector, &workload["spec"]["template"]["metadata"]["labels"]);
    workloads(objects).into_iter().filter(takes).collect()
}

/// A copy of objects with one of them changed: the value at a pointer of the object of this kind and name, or nothing there any more.
pub(crate) fn broken(objects: &[Value], of: (&str, &str), pointer: &str, value: Option<Value>) -> Vec<Value> {
    let mut copy = objects.to_vec();
    let is_it = |object: &&mut Value| object["kind"] == of.0 && name(object) == of.1;
    let object = copy
        .iter_mut()
        .find(is_it)
        .unwrap_or_else(|| panic!("there is no {of:?}"));
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let key = &key.replace("~1", "/");
    let parent = object
        .pointer_mut(parent)
        .unwrap_or_else(|| panic!("{of:?} has no {pointer}"));
    match (parent, value) {
        (Value::Object(map), Some(value)) => {
            map.insert(key.to_owned(), value);
        }
        (Value::Object(map), None) => {
            map.remove(key)
                .unwrap_or_else(|| panic!("{of:?} has no {pointer}"));
        }
        (Value::Array(list), value) => {
            let at: usize = key.parse().unwrap();
            list.splice(at..=at, value);
        }
        (other, _) => panic!("{pointer} is in {other}"),
    }
    copy
}

/// A change that a rule has to find: kind and name of the object, pointer, new value, and a part of what is said.
pub(crate) type Break = (
    &'static str,
    &'static str,
    &'static str,
    Option<Value>,
    &'static str,
);

/// A rule holds for every overlay, and finds each of these changes of one.
pub(crate) fn holds(rule: fn(&[Value]) -> Vec<String>, breaks: &[Break]) {
    for overlay in Overlay::ALL {
        let found = rule(objects(overlay));
        assert!(found.is_empty(), "{overlay}:\n{}", found.join("\n"));
    }
    for (kind, name, pointer, value, expected) in breaks {
        let changed = broken(objects(Overlay::KindTools), (kind, name), pointer, value.clone());
        let found = rule(&changed).join("\n");
        assert!(
            found.contains(expected),
            "{pointer} of {kind} {name} is {value:?}: {expected:?} was expected, {found:?} was found"
        );
    }
}

/// Collects what is not as it should be.
pub(crate) struct Findings<'a> {
    pub(crate) of: &'a str,
    found: Vec<String>,
}

impl Findings<'_> {
    /// Tells what does not hold.
    pub(crate) fn demand(&mut self, holds: bool, what: &str) {
        if !holds {
            self.found.push(format!("{}: {what}", self.of));
        }
    }
}

/// Asks something of every workload.
pub(crate) fn each(objects: &[Value], ask: impl Fn(&Value, &mut Findings<'_>)) -> Vec<String> {
    let mut found = Vec::new();
    for workload in workloads(objects) {
        let mut findings = Findings {
            of: name(workload),
            found: Vec::new(),
        };
        ask(workload, &mut findings);
        found.append(&mut findings.found);
    }
    found
}
