//! The launcher with lines that the commands really printed.

use std::time::Duration;

use crossterm::event::KeyCode;

use super::choice::Engine;
use super::*;
use crate::bed::{self, SIZES};
use crate::options::Mode;

/// What `odd up` printed, as standard output and standard error: errors and words go to the latter.
fn lines(recorded: &str) -> Vec<Printed> {
    let line = |text: &str| Printed {
        to_stderr: text.starts_with("{\"error\"") || !text.starts_with('{'),
        text: text.to_owned(),
    };
    recorded.lines().map(line).collect()
}

fn tell(launcher: &mut Launcher, world: &World, name: &'static str, lines: Vec<Printed>) {
    launcher.reply(&Reply::Printed(name, lines), world);
}

fn end(launcher: &mut Launcher, world: &World, name: &'static str, code: i32) -> Vec<Effect> {
    launcher.reply(&Reply::Ended(name, Ok(code)), world)
}

/// A launcher whose doctor answered this.
fn examined(world: &World, answer: &str) -> Launcher {
    let mut launcher = Launcher::new();
    let effects = launcher.opened(world);
    assert!(
        matches!(&effects[..], [Effect::Run(run)] if run.name == DOCTOR),
        "the doctor is asked"
    );
    assert!(launcher.opened(world).is_empty(), "and only once");
    doctor_answers(&mut launcher, world, answer);
    launcher
}

fn doctor_answers(launcher: &mut Launcher, world: &World, answer: &str) {
    let line = |text: &str| Printed {
        to_stderr: false,
        text: text.to_owned(),
    };
    tell(launcher, world, DOCTOR, answer.lines().map(line).collect());
    end(launcher, world, DOCTOR, 0);
}

/// A start of which so many lines were told.
fn launching(world: &World, recorded: &str, so_far: usize) -> Launcher {
    let mut launcher = examined(world, include_str!("recorded/doctor-offline.json"));
    for effects in [
        bed::press_key(&mut launcher, world, KeyCode::Right),
        bed::press(&mut launcher, world, 'o'),
    ] {
        let asked = matches!(&effects[..], [Effect::Run(run)] if run.name == DOCTOR);
        assert!(asked, "another choice needs other things");
    }
    let effects = bed::press_key(&mut launcher, world, KeyCode::Enter);
    let [Effect::Run(run)] = &effects[..] else {
        panic!("nothing is started")
    };
    assert_eq!(
        run.arguments,
        ["up", "--engine", "docker", "--offline", "--output", "ndjson"]
    );
    let lines = lines(recorded).into_iter().take(so_far).collect();
    tell(&mut launcher, world, UP, lines);
    launcher
}

fn snapshots(name: &str, launcher: &mut Launcher, world: &World) {
    for (width, height) in SIZES {
        insta::assert_snapshot!(
            format!("{name}_{width}x{height}"),
            bed::drawn(launcher, world, (width, height))
        );
    }
}

#[test]
fn it_looks_first() {
    let world = bed::empty();
    let mut launcher = Launcher::new();
    launcher.opened(&world);
    assert!(launcher.is_moving());
    snapshots("looking", &mut launcher, &world);
}

#[test]
fn what_is_there_and_what_is_missing_is_shown() {
    let world = bed::empty();
    let mut well = examined(&world, include_str!("recorded/doctor-offline.json"));
    snapshots("all_there", &mut well, &world);
    assert!(bed::press(&mut well, &world, 'C').is_empty(), "nothing to copy");
    let mut warned = examined(&world, include_str!("recorded/doctor-auto.json"));
    snapshots("no_registry", &mut warned, &world);
    let mut missing = examined(&world, include_str!("recorded/doctor-no-docker.json"));
    snapshots("no_docker", &mut missing, &world);
    let copied = bed::press(&mut missing, &world, 'C');
    assert!(
        matches!(&copied[..], [Effect::Copy(_, text)] if text == "sudo systemctl start docker"),
        "the command that mends it is copied"
    );
}

#[test]
fn of_several_checks_one_is_chosen() {
    let world = bed::empty();
    let recorded = include_str!("recorded/doctor-no-docker-no-port.json");
    let mut launcher = examined(&world, recorded);
    bed::press(&mut launcher, &world, 'j');
    insta::assert_snapshot!("two_missing_80x24", bed::drawn(&mut launcher, &world, (80, 24)));
    let copied = bed::press(&mut launcher, &world, 'C');
    assert!(
        matches!(&copied[..], [Effect::Copy(_, text)] if text.starts_with("odd up --instance tc --port-offset ")),
        "that of the chosen one is copied"
    );
}

#[test]
fn a_doctor_that_does_not_answer_is_said() {
    let world = bed::empty();
    let mut launcher = Launcher::new();
    launcher.opened(&world);
    let why = Err("odd cannot be run: permission denied".to_owned());
    launcher.reply(&Reply::Ended(DOCTOR, why), &world);
    let shown = bed::drawn(&mut launcher, &world, (80, 24));
    assert!(shown.contains("odd cannot be run: permission denied"), "{shown}");
}

#[test]
fn a_start_is_followed() {
    let mut world = bed::empty();
    let recorded = include_str!("recorded/up-docker.ndjson");
    let mut launcher = launching(&world, recorded, 33);
    world.now = world.now.plus(Duration::from_secs(8));
    snapshots("launching", &mut launcher, &world);
    let rest = lines(recorded).into_iter().skip(33).collect();
    tell(&mut launcher, &world, UP, rest);
    end(&mut launcher, &world, UP, 0);
    snapshots("ready", &mut launcher, &world);
    assert!(launcher.tick(&world).is_empty(), "the report can be read");
    world.now = world.now.plus(SHOWN);
    bed::drawn(&mut launcher, &world, (80, 24));
    let effects = launcher.tick(&world);
    assert!(
        matches!(effects[..], [Effect::Home(_), Effect::Refresh]),
        "then the dashboard"
    );
}

#[test]
fn nobody_is_taken_away_from_another_screen() {
    let mut world = bed::empty();
    let recorded = include_str!("recorded/up-docker.ndjson");
    let mut launcher = launching(&world, recorded, usize::MAX);
    end(&mut launcher, &world, UP, 0);
    world.now = world.now.plus(Duration::from_secs(60));
    assert!(launcher.tick(&world).is_empty(), "another screen is shown");
    bed::drawn(&mut launcher, &world, (80, 24));
    assert_eq!(launcher.tick(&world).len(), 2);
}

#[test]
fn images_are_told_while_they_are_built() {
    let world = bed::empty();
    let mut launcher = launching(&world, include_str!("recorded/up-build.ndjson"), usize::MAX);
    let shown = bed::drawn(&mut launcher, &world, (120, 40));
    assert!(shown.contains("building odd-roles:"), "{shown}");
    assert!(shown.contains("6 of 7 images"), "{shown}");
}

#[test]
fn a_failed_start_says_why_and_the_choice_is_there_again() {
    let world = bed::empty();
    let mut launcher = launching(&world, include_str!("recorded/up-trouble.ndjson"), usize::MAX);
    snapshots("trouble", &mut launcher, &world);
    let effects = end(&mut launcher, &world, UP, 1);
    assert!(matches!(&effects[..], [Effect::Run(run)] if run.name == DOCTOR));
    doctor_answers(
        &mut launcher,
        &world,
        include_str!("recorded/doctor-offline.json"),
    );
    snapshots("failed", &mut launcher, &world);
    let copied = bed::press(&mut launcher, &world, 'C');
    assert!(
        matches!(&copied[..], [Effect::Copy(_, text)] if text == "odd up --instance tc"),
        "what mends it is copied"
    );
    assert!(
        matches!(
            bed::press_key(&mut launcher, &world, KeyCode::Enter)[..],
            [Effect::Run(_)]
        ),
        "it can be tried again"
    );
}

#[test]
fn images_that_are_not_to_be_had_are_said() {
    let world = bed::empty();
    let mut launcher = launching(&world, include_str!("recorded/up-no-images.ndjson"), usize::MAX);
    end(&mut launcher, &world, UP, 3);
    doctor_answers(&mut launcher, &world, include_str!("recorded/doctor-auto.json"));
    snapshots("no_images", &mut launcher, &world);
}

#[test]
fn a_start_can_be_interrupted() {
    let world = bed::empty();
    let mut launcher = launching(&world, include_str!("recorded/up-docker.ndjson"), 25);
    let mut asked = bed::press_key(&mut launcher, &world, KeyCode::Esc);
    let Some(Effect::Push(mut question)) = asked.pop() else {
        panic!("it is not asked")
    };
    let yes = bed::press(question.as_mut(), &world, 'y');
    assert!(matches!(yes[..], [Effect::Back, Effect::Interrupt(UP)]));
    tell(
        &mut launcher,
        &world,
        UP,
        lines(include_str!("recorded/up-interrupted.txt")),
    );
    end(&mut launcher, &world, UP, 130);
    doctor_answers(
        &mut launcher,
        &world,
        include_str!("recorded/doctor-offline.json"),
    );
    snapshots("interrupted", &mut launcher, &world);
}

#[test]
fn the_command_of_a_question_names_the_instance_once() {
    let mut world = bed::empty();
    world.of_instance = " --instance demo".to_owned();
    let mut launcher = launching(&world, include_str!("recorded/up-docker.ndjson"), 25);
    let mut asked = bed::press_key(&mut launcher, &world, KeyCode::Esc);
    let Some(Effect::Push(mut question)) = asked.pop() else {
        panic!("it is not asked")
    };
    let shown = bed::drawn(question.as_mut(), &world, (80, 24));
    assert_eq!(shown.matches("$ odd down --instance demo").count(), 1, "{shown}");
    assert_eq!(shown.matches("--instance").count(), 1, "{shown}");
}

#[test]
fn the_embedded_engine_starts_too() {
    let world = bed::empty();
    let mut launcher = launching(&world, include_str!("recorded/up-embedded.ndjson"), usize::MAX);
    end(&mut launcher, &world, UP, 0);
    snapshots("ready_embedded", &mut launcher, &world);
}

#[test]
fn a_stack_is_stopped_at_once() {
    let world = bed::empty();
    let mut launcher = Launcher::stopping();
    let effects = launcher.opened(&world);
    assert!(matches!(&effects[..], [Effect::Run(run)] if run.arguments == ["down", "--output", "json"]));
    assert!(launcher.opened(&world).is_empty(), "and only once");
    insta::assert_snapshot!("stopping_80x24", bed::drawn(&mut launcher, &world, (80, 24)));
    tell(
        &mut launcher,
        &world,
        DOWN,
        include_str!("recorded/down-docker.json")
            .lines()
            .map(|text| Printed {
                to_stderr: false,
                text: text.to_owned(),
            })
            .collect(),
    );
    end(&mut launcher, &world, DOWN, 0);
    doctor_answers(
        &mut launcher,
        &world,
        include_str!("recorded/doctor-offline.json"),
    );
    snapshots("stopped", &mut launcher, &world);
}

/// Clicks on a text of what is shown.
fn click(launcher: &mut Launcher, world: &World, text: &str) -> Vec<Effect> {
    let (column, row) = bed::place_of(&bed::drawn(launcher, world, (80, 24)), text);
    bed::click(launcher, world, column, row)
}

#[test]
fn what_is_shown_is_chosen_by_clicks() {
    let mut world = bed::empty();
    let mut launcher = examined(&world, include_str!("recorded/doctor-no-docker-no-port.json"));
    let run = |effects: Vec<Effect>| match &effects[..] {
        [Effect::Run(run)] => run.arguments.join(" "),
        _ => String::new(),
    };
    assert!(run(click(&mut launcher, &world, "docker  ")).starts_with("doctor "));
    assert_eq!(launcher.choice.engine, Engine::Docker);
    assert!(run(click(&mut launcher, &world, "offline images")).contains("--offline"));
    doctor_answers(
        &mut launcher,
        &world,
        include_str!("recorded/doctor-no-docker-no-port.json"),
    );
    bed::turn(&mut launcher, &world, true);
    assert_eq!(launcher.chosen, 1);
    let copied = |launcher: &mut Launcher, world: &World| match &bed::press(launcher, world, 'C')[..] {
        [Effect::Copy(_, text)] => text.clone(),
        _ => String::new(),
    };
    let second = copied(&mut launcher, &world);
    bed::turn(&mut launcher, &world, false);
    assert_ne!(copied(&mut launcher, &world), second);
    click(&mut launcher, &world, &format!("try: {second}"));
    assert_eq!(launcher.chosen, 1, "a click chooses a check");
    for (column, row) in [(0, 0), (79, 23), (79, 3)] {
        assert!(bed::click(&mut launcher, &world, column, row).is_empty());
    }
    world.mode = Mode::ReadOnly;
    bed::drawn(&mut launcher, &world, (80, 24));
    assert!(
        launcher
            .targets
            .iter()
            .all(|(_, target)| matches!(target, Target::Check(_)))
    );
    world.mode = Mode::Full;
    let started = run(click(&mut launcher, &world, "starts observatory"));
    assert!(started.starts_with("up --engine docker --offline"), "{started}");
    bed::drawn(&mut launcher, &world, (80, 24));
    assert!(launcher.targets.is_empty(), "there is nothing to choose any more");
}

#[test]
fn looking_only_starts_nothing() {
    let mut world = bed::empty();
    world.mode = Mode::ReadOnly;
    let mut launcher = examined(&world, include_str!("recorded/doctor-offline.json"));
    insta::assert_snapshot!("read_only_80x24", bed::drawn(&mut launcher, &world, (80, 24)));
    assert!(bed::press_key(&mut launcher, &world, KeyCode::Enter).is_empty());
    world.mode = Mode::Server;
    assert!(
        Launcher::new().opened(&world).is_empty(),
        "nothing of the machine is asked for"
    );
}

#[test]
fn ascii_and_hostile_text_are_drawn() {
    let mut world = bed::empty();
    let look = crate::options::Look {
        unicode: false,
        ..bed::options().look
    };
    world.theme = crate::theme::Theme::new(look);
    let hostile =
        r#"{"checks":[{"name":"\u001b[2J","state":"failed","detail":"\u202eexe","try":"odd \u0007up"}]}"#;
    let mut launcher = examined(&world, hostile);
    let shown = bed::drawn(&mut launcher, &world, (80, 24));
    assert!(!shown.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{shown:?}");
    assert!(shown.contains("> auto") && shown.contains("x "), "{shown}");
}
