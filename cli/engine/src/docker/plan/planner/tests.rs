use std::collections::BTreeMap;

use super::*;
use crate::compose::{Condition, Project, Volume};
use crate::docker::plan::LeftOut;
use crate::docker::plan::wanted::wanted;
use crate::docker::sample::{dependency, project, service};
use crate::instance::{Home, Instance};

const RELEASE: &str = "1.2.3";

fn instance() -> Instance {
    Instance {
        name: "t".parse().unwrap(),
        home: Home::at("/nowhere"),
        port_offset: 0,
    }
}

fn want(project: &Project) -> Wanted {
    let images: BTreeMap<String, String> = project
        .services
        .values()
        .map(|s| (s.image.clone(), format!("sha256:id-of-{}", s.image)))
        .collect();
    wanted(project, &instance(), &images, RELEASE).unwrap()
}

/// As the engine shows it after `up`.
fn running(want: &WantedContainer) -> Container {
    Container {
        id: format!("id-{}", want.name),
        name: want.name.clone(),
        image: want.body.image.clone().unwrap(),
        image_id: bare_id(want.image_id.as_deref().unwrap()).to_owned(),
        labels: want.body.labels.clone().unwrap().into_iter().collect(),
        state: State::Running,
        status: "Up 2 minutes (healthy)".to_owned(),
        ports: BTreeSet::new(),
        volumes: Vec::new(),
        // Those of `all_there` are called as their names.
        networks: attached(want).map(str::to_owned).collect(),
    }
}

/// Everything that is wanted, there and well.
fn all_there(wanted: &Wanted) -> Present {
    let thing = |name: &str, labels: &std::collections::HashMap<String, String>| Thing {
        id: name.to_owned(),
        name: name.to_owned(),
        labels: labels.clone().into_iter().collect(),
    };
    Present {
        containers: wanted.containers.iter().map(running).collect(),
        foreign: Vec::new(),
        networks: wanted
            .networks
            .iter()
            .map(|n| thing(&n.name, n.request.as_ref().unwrap().labels.as_ref().unwrap()))
            .collect(),
        volumes: wanted
            .volumes
            .iter()
            .map(|v| thing(&v.name, v.request.as_ref().unwrap().labels.as_ref().unwrap()))
            .collect(),
    }
}

fn two() -> Project {
    let mut web = service("web");
    web.depends_on
        .insert("db".to_owned(), dependency(Condition::ServiceHealthy));
    let mut project = project(vec![web, service("db")]);
    project.volumes.insert(
        "data".to_owned(),
        Volume {
            name: "odd-t_data".to_owned(),
            ..Volume::default()
        },
    );
    project
}

fn made(wanted: &Wanted, present: &Present) -> Plan {
    plan(wanted, present, Vec::new(), &[]).unwrap()
}

fn actions(plan: &Plan) -> Vec<(&str, Action, Option<&str>)> {
    plan.containers
        .iter()
        .map(|c| (c.step.name.as_str(), c.step.action, c.step.reason.as_deref()))
        .collect()
}

/// The action and reason for the container of `db` when it is not as it was.
fn after(change: impl FnOnce(&mut Container)) -> (Action, Option<String>) {
    let wanted = want(&two());
    let mut present = all_there(&wanted);
    change(
        present
            .containers
            .iter_mut()
            .find(|c| c.service() == "db")
            .unwrap(),
    );
    let plan = made(&wanted, &present);
    let step = &plan.containers.iter().find(|c| c.service == "db").unwrap().step;
    (step.action, step.reason.clone())
}

#[test]
fn in_an_empty_engine_everything_is_created_dependencies_first() {
    let wanted = want(&two());
    let plan = made(&wanted, &Present::default());
    assert_eq!(
        actions(&plan),
        [
            ("odd-t-db-1", Action::Create, None),
            ("odd-t-web-1", Action::Create, None)
        ]
    );
    assert_eq!(plan.networks[0].action, Action::Create);
    assert_eq!(plan.volumes[0].action, Action::Create);
    assert!(!plan.is_empty());
}

#[test]
fn what_is_there_as_it_shall_be_is_kept() {
    let wanted = want(&two());
    let plan = made(&wanted, &all_there(&wanted));
    assert!(plan.is_empty(), "{plan:?}");
    assert!(plan.orphans.is_empty());
}

#[test]
fn a_changed_configuration_recreates_only_what_it_concerns() {
    let present = all_there(&want(&two()));
    let mut project = two();
    project
        .services
        .get_mut("web")
        .unwrap()
        .environment
        .insert("A".to_owned(), "1".to_owned());
    let plan = made(&want(&project), &present);
    assert_eq!(
        actions(&plan),
        [
            ("odd-t-db-1", Action::Keep, None),
            ("odd-t-web-1", Action::Recreate, Some("configuration changed"))
        ]
    );
}

#[test]
fn a_reference_that_names_the_same_image_changes_nothing() {
    let mut project = two();
    let before = want(&project);
    project.services.get_mut("web").unwrap().image = "elsewhere/web:1".to_owned();
    let mut images: BTreeMap<String, String> = [
        ("db:1", "sha256:id-of-db:1"),
        ("elsewhere/web:1", "sha256:id-of-web:1"),
    ]
    .map(|(name, id)| (name.to_owned(), id.to_owned()))
    .into();
    let same = wanted(&project, &instance(), &images, RELEASE).unwrap();
    assert!(made(&same, &all_there(&before)).is_empty());
    images.insert("elsewhere/web:1".to_owned(), "sha256:other".to_owned());
    let other = wanted(&project, &instance(), &images, RELEASE).unwrap();
    let plan = made(&other, &all_there(&before));
    assert_eq!(
        actions(&plan)[1],
        ("odd-t-web-1", Action::Recreate, Some("image changed"))
    );
}

#[test]
fn an_image_that_is_not_there_yet_is_another_one() {
    let before = all_there(&want(&two()));
    let missing = wanted(&two(), &instance(), &BTreeMap::new(), RELEASE).unwrap();
    let plan = made(&missing, &before);
    assert!(
        actions(&plan)
            .iter()
            .all(|(_, action, why)| (*action, *why) == (Action::Recreate, Some("image changed")))
    );
}

#[test]
fn a_container_of_another_release_says_so() {
    let images = BTreeMap::from([
        ("db:1".to_owned(), "1".to_owned()),
        ("web:1".to_owned(), "2".to_owned()),
    ]);
    let old = all_there(&wanted(&two(), &instance(), &images, "0.9.0").unwrap());
    let same = wanted(&two(), &instance(), &images, RELEASE).unwrap();
    assert!(made(&same, &old).is_empty(), "another release alone is no reason");
    let mut project = two();
    project.services.get_mut("db").unwrap().read_only = true;
    let plan = made(&wanted(&project, &instance(), &images, RELEASE).unwrap(), &old);
    assert_eq!(actions(&plan)[0].2, Some("was made by release 0.9.0"));
}

#[test]
fn what_does_not_run_is_started_and_what_is_half_made_is_made_anew() {
    let set = |state: State, status: &'static str| {
        move |c: &mut Container| {
            c.state = state;
            c.status = status.to_owned();
        }
    };
    let reason = |text: &str| Some(text.to_owned());
    assert_eq!(
        after(set(State::Exited, "Exited (137) 3 seconds ago")),
        (Action::Start, reason("does not run (exit code 137)"))
    );
    assert_eq!(
        after(set(State::Paused, "Up (Paused)")),
        (Action::Start, reason("is paused"))
    );
    assert_eq!(
        after(set(State::Created, "Created")),
        (Action::Recreate, reason("was not completed"))
    );
    assert_eq!(
        after(set(State::Restarting, "Restarting (1)")),
        (Action::Recreate, reason("keeps restarting"))
    );
    assert_eq!(
        after(set(State::Dead, "Dead")),
        (Action::Recreate, reason("was being removed"))
    );
    assert_eq!(
        after(set(State::Running, "Up 1 s (unhealthy)")),
        (Action::Recreate, reason("is unhealthy"))
    );
    assert_eq!(
        after(set(State::Running, "Up 1 s (health: starting)")),
        (Action::Keep, None)
    );
}

#[test]
fn a_container_that_was_taken_off_its_network_is_made_anew() {
    let (action, reason) = after(|c| c.networks.clear());
    assert_eq!(action, Action::Recreate);
    assert_eq!(reason.as_deref(), Some("is no longer attached to odd-t_default"));

    let wanted = want(&two());
    let mut present = all_there(&wanted);
    for container in &mut present.containers {
        container.networks.clear();
    }
    assert!(made(&wanted, &present).is_empty(), "an engine that does not tell");
}

#[test]
fn a_container_that_odd_did_not_make_is_made_anew() {
    let found = after(|c| {
        c.labels.remove(labels::INSTANCE);
    });
    assert_eq!(found, (Action::Recreate, Some("was not made by odd".to_owned())));
}

#[test]
fn a_container_that_was_removed_by_hand_is_named() {
    let wanted = want(&two());
    let mut present = all_there(&wanted);
    present.containers.retain(|c| c.service() != "db");
    let made = vec!["odd-t-db-1".to_owned(), "odd-t-web-1".to_owned()];
    let plan = plan(&wanted, &present, Vec::new(), &made).unwrap();
    assert_eq!(
        actions(&plan),
        [
            ("odd-t-db-1", Action::Create, Some("was removed by hand")),
            ("odd-t-web-1", Action::Keep, None)
        ]
    );
}

#[test]
fn scaling_adds_and_removes_the_last_replicas() {
    let present = all_there(&want(&two()));
    let mut project = two();
    project.services.get_mut("web").unwrap().replicas = 3;
    let more = want(&project);
    let plan = made(&more, &present);
    assert_eq!(
        actions(&plan)[2..],
        [
            ("odd-t-web-2", Action::Create, Some("scaled up")),
            ("odd-t-web-3", Action::Create, Some("scaled up"))
        ]
    );
    project.services.get_mut("web").unwrap().replicas = 0;
    let plan = made(&want(&project), &all_there(&more));
    let removed: Vec<_> = actions(&plan)
        .into_iter()
        .filter(|(_, action, _)| *action == Action::Remove)
        .collect();
    assert_eq!(removed.len(), 3);
    assert!(
        removed
            .iter()
            .all(|(name, _, why)| name.contains("-web-") && *why == Some("scaled down"))
    );
    assert!(plan.orphans.is_empty());
}

#[test]
fn orphans_are_reported_and_left_alone_and_what_is_left_out_is_removed() {
    let mut present = all_there(&want(&two()));
    let mut project = two();
    project.services.get_mut("web").unwrap().depends_on.clear();
    project.services.remove("db");
    let plan = made(&want(&project), &present);
    assert_eq!(plan.orphans, ["odd-t-db-1"]);
    assert_eq!(plan.containers.len(), 1, "only that of web");

    project.left_out.push(LeftOut {
        service: "db".to_owned(),
        reason: "Debian has none".to_owned(),
    });
    let plan = made(&want(&project), &present);
    assert!(plan.orphans.is_empty());
    assert_eq!(
        actions(&plan)[1],
        ("odd-t-db-1", Action::Remove, Some("left out: Debian has none"))
    );

    present.containers[0]
        .labels
        .insert(labels::ONE_OFF.to_owned(), "True".to_owned());
    project.left_out.clear();
    project.services.insert("db".to_owned(), service("db"));
    project.services.get_mut("db").unwrap().replicas = 0;
    let plan = made(&want(&project), &present);
    assert!(
        plan.containers.iter().all(|c| c.service != "db"),
        "containers of `docker compose run` are left alone"
    );
}

#[test]
fn a_service_that_asks_for_it_is_made_anew_with_what_it_depends_on() {
    let mut project = two();
    let web = project.services.get_mut("web").unwrap();
    web.depends_on.get_mut("db").unwrap().restart = true;
    let mut top = service("top");
    let mut on_web = dependency(Condition::ServiceStarted);
    on_web.restart = true;
    top.depends_on.insert("web".to_owned(), on_web);
    project.services.insert("top".to_owned(), top);
    let present = all_there(&want(&project));
    project.services.get_mut("db").unwrap().user = Some("1".to_owned());
    let plan = made(&want(&project), &present);
    assert_eq!(
        actions(&plan),
        [
            ("odd-t-db-1", Action::Recreate, Some("configuration changed")),
            ("odd-t-web-1", Action::Recreate, Some("db is made anew")),
            ("odd-t-top-1", Action::Recreate, Some("web is made anew")),
        ]
    );
}

#[test]
fn what_others_wait_for_to_end_is_kept_when_it_ended_well() {
    let mut project = two();
    let web = project.services.get_mut("web").unwrap();
    web.depends_on.insert(
        "db".to_owned(),
        dependency(Condition::ServiceCompletedSuccessfully),
    );
    let wanted = want(&project);
    let mut present = all_there(&wanted);
    present.containers[0].state = State::Exited;
    for (status, expected) in [
        ("Exited (0) 1 second ago", Action::Keep),
        ("Exited (1) 1 second ago", Action::Start),
    ] {
        present.containers[0].status = status.to_owned();
        assert_eq!(actions(&made(&wanted, &present))[0].1, expected, "{status}");
    }
}

#[test]
fn a_name_that_belongs_to_somebody_else_is_an_error() {
    let wanted = want(&two());
    let foreign = Container {
        labels: BTreeMap::new(),
        image: "nginx".to_owned(),
        ..running(&wanted.containers[0])
    };
    let present = Present {
        foreign: vec![foreign],
        ..Present::default()
    };
    let error = plan(&wanted, &present, Vec::new(), &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the container odd-t-db-1 is there and does not belong to this instance: it runs nginx"
    );
    for kind in ["network", "volume"] {
        let mut present = all_there(&wanted);
        let things = if kind == "network" {
            &mut present.networks
        } else {
            &mut present.volumes
        };
        things[0].labels.clear();
        let error = plan(&wanted, &present, Vec::new(), &[]).unwrap_err();
        assert!(
            matches!(&error, DockerError::NameTaken { kind: found, .. } if *found == kind),
            "{error}"
        );
        assert!(
            error.remedy().contains(&format!("docker {kind} rm")),
            "{}",
            error.remedy()
        );
    }
}

#[test]
fn data_of_a_newer_release_is_not_touched() {
    let wanted = want(&two());
    let mut present = all_there(&wanted);
    let layout = present.volumes[0].labels.get_mut(labels::LAYOUT).unwrap();
    *layout = (LAYOUT + 1).to_string();
    let error = plan(&wanted, &present, Vec::new(), &[]).unwrap_err();
    assert!(
        matches!(&error, DockerError::NewerVolumes { volumes, found, .. } if volumes == &["odd-t_data"] && *found == LAYOUT + 1),
        "{error:?}"
    );
    present.volumes[0].labels.remove(labels::LAYOUT);
    assert!(made(&wanted, &present).is_empty(), "docker compose made it");
}

#[test]
fn a_changed_network_takes_its_containers_along() {
    let present = all_there(&want(&two()));
    let mut project = two();
    project.networks.get_mut("default").unwrap().internal = true;
    let plan = made(&want(&project), &present);
    assert_eq!(plan.networks[0].action, Action::Recreate);
    assert!(
        actions(&plan)
            .iter()
            .all(|(_, _, why)| *why == Some("its network is made anew"))
    );
}

#[test]
fn what_others_make_has_to_be_there() {
    let mut project = two();
    project.volumes.get_mut("data").unwrap().external = true;
    let wanted = want(&project);
    let error = plan(&wanted, &Present::default(), Vec::new(), &[]).unwrap_err();
    assert!(error.to_string().contains("volume odd-t_data"), "{error}");
    let mut present = all_there(&want(&two()));
    present.volumes[0].labels.clear();
    assert!(made(&wanted, &present).is_empty(), "it may be anybody's");
}
