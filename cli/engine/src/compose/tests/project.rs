//! How services make a project: profiles, numbers of containers, ports, names in the engine.

use super::{error, options};
use crate::compose::*;

#[test]
fn profiles_decide_who_starts() {
    let text = "services:\n  a: {image: x}\n  b: {image: x, profiles: [p, q]}\n  c: {image: x, depends_on: {b: {condition: service_started, required: false}}}\n";
    let names = |profiles: &[&str]| {
        let options = LoadOptions {
            profiles: profiles.iter().map(|profile| (*profile).to_owned()).collect(),
            ..options()
        };
        load_text(text, &options).map(|project| {
            let waits = project.services["c"].depends_on.len();
            (project.services.into_keys().collect::<Vec<_>>().join(""), waits)
        })
    };
    assert_eq!(names(&[]).unwrap(), ("ac".to_owned(), 0));
    assert_eq!(names(&["q"]).unwrap(), ("abc".to_owned(), 1));
    let error = names(&["r"]).unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), error.remedy().as_str()),
        ("there is no profile \"r\"", "profiles are: p, q")
    );
    assert!(matches!(
        super::error("services: {a: {image: x, profiles: [p]}}"),
        ComposeError::NothingToStart
    ));
}

#[test]
fn what_a_service_needs_must_not_be_off_unless_an_overlay_left_it_out() {
    let off = "services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, profiles: [p]}\n";
    assert_eq!(
        error(off).to_string(),
        "a depends on b, which is left out: its profile p is off"
    );
    let told = "services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, profiles: [p], x-odd-left-out: too big}\n";
    let project = load_text(told, &options()).unwrap();
    assert!(project.services["a"].depends_on.is_empty());
}

#[test]
fn scaling_needs_a_service_that_can_be_there_more_than_once() {
    let text = "services:\n  a: {image: x}\n  p: {image: x, ports: ['1:1']}\n  v: {image: x, volumes: ['v:/v']}\n  o: {image: x, profiles: [p]}\nvolumes: {v: }\n";
    let scaled = |service: &str, replicas: u32| {
        let options = LoadOptions {
            scale: [(service.to_owned(), replicas)].into(),
            ..options()
        };
        load_text(text, &options)
    };
    assert_eq!(scaled("a", 4).unwrap().services["a"].replicas, 4);
    assert_eq!(scaled("p", 0).unwrap().services["p"].replicas, 0);
    for (service, replicas, expected) in [
        (
            "p",
            2,
            "cannot run 2 containers of p: all of them would publish port 1",
        ),
        (
            "v",
            2,
            "cannot run 2 containers of v: all of them would write the volume v",
        ),
        (
            "o",
            2,
            "cannot run 2 containers of o: it is left out: its profile p is off",
        ),
        ("a", 65, "cannot run 65 containers of a: there may be 64 at most"),
        ("z", 2, "cannot scale \"z\": there is no such service"),
    ] {
        assert_eq!(scaled(service, replicas).unwrap_err().to_string(), expected);
    }
    assert_eq!(scaled("z", 2).unwrap_err().remedy(), "services are: a, p, v");
}

#[test]
fn ports_move_by_the_offset_and_never_collide() {
    let shifted = LoadOptions {
        port_offset: 50_000,
        ..options()
    };
    let error = load_text("services: {a: {image: x, ports: ['20000:1']}}", &shifted).unwrap_err();
    assert_eq!(
        error.to_string(),
        "port 20000 of a plus the offset 50000 is beyond 65535"
    );
    for (ports, clash) in [
        (("'1:1'", "'1:2'"), true),
        (("'127.0.0.1:1:1'", "'1:2'"), true),
        (("'127.0.0.1:1:1'", "'127.0.0.2:1:2'"), false),
        (("'1:1'", "'1:2/udp'"), false),
        (("'1'", "'1'"), false),
    ] {
        let text = format!(
            "services: {{a: {{image: x, ports: [{}]}}, b: {{image: x, ports: [{}]}}}}",
            ports.0, ports.1
        );
        let result = load_text(&text, &options());
        assert_eq!(
            matches!(result, Err(ComposeError::DuplicatePort { port: 1, .. })),
            clash,
            "{text}"
        );
        assert_eq!(result.is_ok(), !clash);
    }
}

#[test]
fn names_in_the_engine() {
    let text = "name: from-file\nservices: {a: {image: x, volumes: ['v:/v', 'e:/e', 'n:/n'], networks: [default, o]}}\nvolumes: {v: , e: {external: true}, n: {name: own}, unused: }\nnetworks: {o: {internal: true}}\n";
    let project = load_text(text, &LoadOptions::default()).unwrap();
    assert_eq!(project.name, "from-file");
    let volumes: Vec<&str> = project
        .volumes
        .values()
        .map(|volume| volume.name.as_str())
        .collect();
    assert_eq!(volumes, ["e", "own", "from-file_v"]);
    let networks: Vec<(&str, bool)> = project
        .networks
        .values()
        .map(|network| (network.name.as_str(), network.internal))
        .collect();
    assert_eq!(networks, [("from-file_default", false), ("from-file_o", true)]);
    let error = load_text(
        "name: 'No Name'\nservices: {a: {image: x}}",
        &LoadOptions::default(),
    )
    .unwrap_err();
    assert!(matches!(error, ComposeError::InvalidProjectName { .. }));
}
