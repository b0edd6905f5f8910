//! The interfaces as `odd urls` really told them.

use super::*;
use crate::bed::{self, SIZES};
use crate::effect::Printed;
use crate::options::Mode;

const RUNNING: &str = include_str!("../launcher/recorded/urls-docker.json");
const STOPPED: &str = include_str!("../launcher/recorded/urls-stopped.json");

fn answered(world: &World, answer: &str) -> Interfaces {
    let mut screen = Interfaces::new();
    let effects = screen.opened(world);
    assert!(matches!(&effects[..], [Effect::Run(run)] if run.name == URLS));
    assert!(screen.opened(world).is_empty(), "once at a time");
    let line = |text: &str| Printed {
        to_stderr: false,
        text: text.to_owned(),
    };
    screen.reply(&Reply::Printed(URLS, answer.lines().map(line).collect()), world);
    screen.reply(&Reply::Ended(URLS, Ok(0)), world);
    screen
}

fn snapshots(name: &str, screen: &mut Interfaces, world: &World) {
    for (width, height) in SIZES {
        insta::assert_snapshot!(
            format!("{name}_{width}x{height}"),
            bed::drawn(screen, world, (width, height))
        );
    }
}

#[test]
fn what_answers_is_shown_and_opened() {
    let world = bed::world();
    let mut screen = answered(&world, RUNNING);
    snapshots("running", &mut screen, &world);
    bed::press(&mut screen, &world, 'j');
    assert_eq!(screen.command(&world), "odd open gateway-docs");
    let opened = bed::press_key(&mut screen, &world, KeyCode::Enter);
    assert!(
        matches!(&opened[..], [Effect::Browse { url, command: Some(command) }]
            if url == "http://127.0.0.1:16000/docs" && command == "odd open gateway-docs")
    );
    let copied = bed::press(&mut screen, &world, 'y');
    assert!(matches!(&copied[..], [Effect::Copy(_, url)] if url == "http://127.0.0.1:16000/docs"));
    let (column, row) = bed::place_of(&bed::drawn(&mut screen, &world, (80, 24)), "RabbitMQ");
    assert!(
        bed::click(&mut screen, &world, column, row).is_empty(),
        "a click chooses"
    );
    assert_eq!(screen.command(&world), "odd open rabbitmq");
    let opened = bed::click(&mut screen, &world, column, row);
    assert!(matches!(&opened[..], [Effect::Browse { .. }]), "a second opens");
    bed::press_key(&mut screen, &world, KeyCode::End);
    let effects = screen.opened(&world);
    assert_eq!(effects.len(), 1, "asked again when it comes back");
}

#[test]
fn what_does_not_answer_is_said() {
    let world = bed::world();
    let mut screen = answered(&world, STOPPED);
    snapshots("stopped", &mut screen, &world);
}

#[test]
fn without_the_machine_the_registry_tells() {
    let mut world = bed::world();
    world.mode = Mode::Server;
    world.addresses.gateway = "http://127.0.0.1:16000".to_owned();
    let mut screen = Interfaces::new();
    assert!(screen.opened(&world).is_empty());
    snapshots("registry", &mut screen, &world);
    assert!(bed::drawn(&mut screen, &world, (120, 40)).contains("http://127.0.0.1:16000/docs"));
}

#[test]
fn a_command_that_fails_leaves_the_registry() {
    let world = bed::world();
    let mut screen = Interfaces::new();
    screen.opened(&world);
    screen.reply(
        &Reply::Ended(URLS, Err("odd cannot be run: gone".to_owned())),
        &world,
    );
    let shown = bed::drawn(&mut screen, &world, (80, 24));
    assert!(
        shown.contains("Grafana") && shown.contains("odd cannot be run: gone"),
        "{shown}"
    );
}
