//! What is refused, with its place and what to do.

use super::{error, one};
use crate::compose::*;

#[test]
fn keys_that_are_not_supported_are_errors_with_file_place_and_key() {
    for (text, expected) in [
        (
            "services: {a: {image: x}}\nsecrets: {}\n",
            "compose.yaml:2:1: the key \"secrets\" is not supported",
        ),
        (
            "services:\n  a:\n    image: x\n    privileged: true\n",
            "compose.yaml:4:5 (services.a): the key \"privileged\" is not supported",
        ),
        (
            "services:\n  a:\n    image: x\n    healthcheck: {test: x, intervall: 1s}\n",
            "compose.yaml:4:28 (services.a.healthcheck): the key \"intervall\" is not supported",
        ),
        (
            "services: {a: {image: x, deploy: {resources: {limits: {gpus: 1}}}}}",
            "compose.yaml:1:56 (services.a.deploy.resources.limits): the key \"gpus\" is not supported",
        ),
        (
            "services: {a: {image: x, ports: [{target: 80, mode: host}]}}",
            "compose.yaml:1:47 (services.a.ports[0]): the key \"mode\" is not supported",
        ),
        (
            "services: {a: {image: x, env_file: x}}",
            "compose.yaml:1:26 (services.a): the key \"env_file\" is not supported",
        ),
        (
            "services: {a: {image: x, build: {context: ., cache_from: []}}}",
            "compose.yaml:1:46 (services.a.build): the key \"cache_from\" is not supported",
        ),
        (
            "services: {a: {image: x}}\nvolumes: {v: {driver_opts: {}}}",
            "compose.yaml:2:15 (volumes.v): the key \"driver_opts\" is not supported",
        ),
        (
            "services: {a: {image: x}}\nnetworks: {n: {ipam: {}}}",
            "compose.yaml:2:16 (networks.n): the key \"ipam\" is not supported",
        ),
    ] {
        let error = error(text);
        assert_eq!(error.to_string(), expected);
        assert!(matches!(error, ComposeError::UnsupportedKey { .. }));
        assert!(error.remedy().contains("use one of"), "{}", error.remedy());
    }
}

#[test]
fn values_that_their_key_cannot_have_are_errors() {
    for (service, part) in [
        (
            "image: [x]",
            "services.a.image): a list stands where a text is expected",
        ),
        ("image: ''", "its image is an empty text"),
        ("command: [x]", "a service needs an image"),
        (
            "image: x\nread_only: maybe",
            "services.a.read_only): \"maybe\" is neither true nor false",
        ),
        ("image: x\nmem_limit: lots", "\"lots\" is no size"),
        ("image: x\nstop_grace_period: 10", "\"10\" is no time span"),
        ("image: x\nrestart: sometimes", "no restart policy"),
        (
            "image: x\nports: ['80:0']",
            "services.a.ports[0]): \"0\" is no port",
        ),
        (
            "image: x\nvolumes: ['./x:/y']",
            "binds a directory of this machine",
        ),
        (
            "image: x\nvolumes: [{type: bind, source: ., target: /y}]",
            "binds a directory of this machine",
        ),
        ("image: x\nvolumes: ['v:y']", "no absolute path in the container"),
        ("image: x\nhealthcheck: {test: [a, b]}", "a test is a text"),
        ("image: x\nhealthcheck: {retries: -1}", "no whole number"),
        ("image: x\nenvironment: {A: 010}", "put it in quotes"),
        (
            "image: x\nenvironment: {A: [b]}",
            "services.a.environment.A): a list stands where a text is expected",
        ),
        (
            "image: x\nenvironment: [[b]]",
            "services.a.environment): a list stands in a list of texts",
        ),
        ("image: x\ncpus: 0", "no number of processors"),
        (
            "image: x\nmem_limit: 1g\ndeploy: {resources: {limits: {memory: 2g}}}",
            "mem_limit and what deploy says of the same differ",
        ),
        (
            "image: x\nconfigs: [{source: c, target: ../x}]",
            "no absolute path of a file",
        ),
        (
            "image: x\nconfigs: [{source: c, mode: 440}]",
            "write it in octal digits",
        ),
        ("image: x\nextra_hosts: [h]", "is no name:address"),
        (
            "image: x\nulimits: {nofile: {soft: 1}}",
            "a limit needs soft and hard",
        ),
        (
            "image: x\ncommand: 'a \"b'",
            "a quote of the command is not closed",
        ),
        (
            "image: x\ndepends_on: {a: {condition: service_ready}}",
            "is no condition",
        ),
        ("image: x\nbuild: .", "odd builds only images of its own recipes"),
        (
            "image: ${IMAGE}",
            "services.a.image): the variable IMAGE is not set",
        ),
        (
            "image: x\nenvironment: [\"A=${B:?give it}\"]",
            "services.a.environment[0]): the variable B has to be set: give it",
        ),
    ] {
        let error = one(service).unwrap_err().to_string();
        assert!(
            error.starts_with("compose.yaml:") && error.contains(part),
            "{service}\n  {error}"
        );
    }
    for text in [
        "",
        "services: {}",
        "- a",
        "services: [a]",
        "services: {a: x}",
        "services: {'a b': {image: x}}",
    ] {
        assert!(
            matches!(error(text), ComposeError::InvalidValue { .. }),
            "{text}: {}",
            error(text)
        );
    }
}

#[test]
fn names_that_are_not_there_are_errors() {
    for (service, expected) in [
        ("image: x\ndepends_on: [b]", "there is no service \"b\""),
        ("image: x\nvolumes: ['u:/u']", "there is no volume \"u\""),
        ("image: x\nnetworks: [m]", "there is no network \"m\""),
        ("image: x\nconfigs: [d]", "there is no config \"d\""),
    ] {
        let error = one(service).unwrap_err();
        assert!(
            matches!(error, ComposeError::Unknown { .. }) && error.to_string().ends_with(expected),
            "{error}"
        );
    }
}

#[test]
fn circles_are_named() {
    let text = "services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [c]}\n  c: {image: x, depends_on: [b]}\n  d: {image: x}\n";
    assert_eq!(
        error(text).to_string(),
        "services depend on each other in a circle: b → c → b"
    );
    assert!(matches!(
        error("services: {a: {image: x, depends_on: [a]}}"),
        ComposeError::Cycle { .. }
    ));
}

#[test]
fn a_configuration_file_that_is_missing_is_told() {
    let text = "services: {a: {image: x, configs: [c]}}\nconfigs: {c: {file: ./nowhere.yml}}";
    assert!(
        error(text).to_string().ends_with("./nowhere.yml is not there"),
        "{}",
        error(text)
    );
}
