//! What the README says of Docker and the page on servers of those, done.

use std::path::Path;
use std::process::{Command, Stdio};

use odd_contracts::Role;
use odd_testkit::document::{self, Block, Rules, plain};
use odd_testkit::{Instance, servers};

use crate::bed::{ODD, Stack};

/// What takes too long, does not end or needs what a test machine lacks; the test of the same, and its file.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    ("odd logs -f processor gateway", "projects.rs", "\"--follow\""),
    ("odd test --disturb", "gate/broken.rs", "\"--disturb\""),
    (
        "odd up --engine docker --scale processor=4",
        "lifecycle.rs",
        "scales",
    ),
    (
        "odd up --engine docker --profile tools",
        "compose_v2/mod.rs",
        "--profile",
    ),
    (
        "odd up --demo",
        "../../src/commands/up/mod.rs",
        "a_demo_is_an_instance_of_its_own_beside_the_first",
    ),
    ("odd restart processor", "lifecycle.rs", "restarts_one_role"),
    ("odd up --output ndjson", "projects.rs", "ndjson"),
];

/// A machine without an image registry takes the offline images.
const FILLED: [(&str, &str); 1] = [("odd up --engine docker", "odd up --engine docker --offline")];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_readme_says_how_a_stack_is_used() {
    let readme = read("../README.md");
    let blocks = document::blocks(&readme).into_iter();
    let blocks: Vec<Block> = blocks.filter(|block| block.section == "On Docker").collect();
    let lines: Vec<&str> = blocks
        .iter()
        .flat_map(|block| &block.lines)
        .map(|line| plain(line))
        .collect();
    for (line, file, name) in ELSEWHERE {
        assert!(lines.contains(line), "the README has no line `{line}`");
        assert!(
            read(&format!("tests/docker/{file}")).contains(name),
            "{file} has no {name}"
        );
    }
    let elsewhere: Vec<&str> = ELSEWHERE.iter().map(|(line, ..)| *line).collect();
    let rules = Rules {
        elsewhere: &elsewhere,
        filled: &FILLED,
    };
    let (script, _) = document::script(&blocks, &rules);
    assert!(script.lines().count() > 7, "{script}");

    let odd = Stack::new();
    run(&script, &odd.command(["version"]), &[]);
    assert!(
        odd.project().containers().is_empty(),
        "`odd down` is the last of it"
    );
}

/// Runs a script to its end, where and as this command would be run, with further variables.
fn run(script: &str, like: &Command, variables: &[(&str, &str)]) {
    let program = Path::new(ODD).parent().unwrap().display();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = Command::new("bash");
    shell
        .args(["-c", script])
        .env("PATH", format!("{program}:{path}"))
        .current_dir(like.get_current_dir().unwrap())
        .stdin(Stdio::null());
    for (name, value) in like.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let output = shell.envs(variables.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{output:?}\nof the script\n{script}");
}

/// What makes places on servers is for those that somebody has; the same is done for every test.
const ON_SERVERS: &[(&str, &str, &str)] = &[
    (
        "rabbitmqctl add_vhost odd",
        "testkit/src/servers/guards.rs",
        "vhosts/",
    ),
    (
        "rabbitmqctl add_user odd secret",
        "testkit/src/servers/guards.rs",
        "USER",
    ),
    (
        "rabbitmqctl set_user_tags odd management",
        "testkit/src/servers/guards.rs",
        "management_url",
    ),
    (
        "rabbitmqctl set_permissions -p odd odd '.*' '.*' '.*'",
        "testkit/src/servers/guards.rs",
        "permissions/",
    ),
    (
        r#"psql -U postgres -c "CREATE ROLE odd LOGIN PASSWORD 'secret'" -c 'CREATE DATABASE odd OWNER odd'"#,
        "testkit/src/servers/guards.rs",
        "CREATE DATABASE",
    ),
    (
        r#"mongosh admin --eval 'db.createUser({ user: "odd", pwd: "secret", roles: [{ role: "readWrite", db: "odd" }] })'"#,
        "compose/images/mongo/create-root.py",
        "createUser",
    ),
    (
        "redis-cli -a secret CONFIG SET maxmemory-policy noeviction",
        "compose/compose.yaml",
        "noeviction",
    ),
];

#[tokio::test]
async fn the_page_on_servers_starts_roles_on_them() {
    let (rabbitmq, postgres, mongo, redis) = tokio::join!(
        servers::rabbitmq(),
        servers::postgres(),
        servers::mongo(),
        servers::redis()
    );
    let odd = Instance::new(ODD);
    let ports = Role::ALL
        .map(Role::default_port)
        .map(|port| (port.to_string(), (port + odd.offset()).to_string()));
    let list = |choose: fn(&(String, String)) -> &String| {
        ports.iter().map(choose).cloned().collect::<Vec<_>>().join(" ")
    };
    let (usual, own) = (list(|ports| &ports.0), list(|ports| &ports.1));
    let filled = [
        ("amqp://odd:secret@127.0.0.1:5672/odd", rabbitmq.url.as_str()),
        ("http://odd:secret@127.0.0.1:15672", &rabbitmq.management_url),
        ("postgres://odd:secret@127.0.0.1:5432/odd", &postgres.url),
        (
            "mongodb://odd:secret@127.0.0.1:27017/odd?authSource=admin",
            &mongo.url,
        ),
        ("redis://:secret@127.0.0.1:6379/0", &redis.url),
        (&usual, &own),
    ];
    let page = read("../docs/servers.md");
    for (from, _) in filled {
        assert!(page.contains(from), "the page has no {from}");
    }
    let blocks = document::blocks(&page);
    let lines: Vec<&str> = blocks
        .iter()
        .flat_map(|block| &block.lines)
        .map(|line| plain(line))
        .collect();
    for (line, place, name) in ON_SERVERS {
        assert!(lines.contains(line), "the page has no line `{line}`");
        assert!(
            read(&format!("../{place}")).contains(name),
            "{place} has no {name}"
        );
    }
    let elsewhere: Vec<&str> = ON_SERVERS.iter().map(|(line, ..)| *line).collect();
    let rules = Rules {
        elsewhere: &elsewhere,
        filled: &filled,
    };
    let (script, _) = document::script(&blocks, &rules);
    let like = odd.command(["serve"]);
    // The shell ends when the roles have.
    let script = format!("{script}wait || true\n");
    let prefix = redis.prefix.clone();
    let ran = tokio::task::spawn_blocking(move || {
        run(&script, &like, &[("ODD_REDIS_PREFIX", &prefix)]);
    });
    ran.await.unwrap();
}
