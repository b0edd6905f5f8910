//! Commands by name, by arrow and by click.

use super::*;
use crate::bed::{self, SIZES, drawn, place_of, press, press_key};

fn typed(text: &str, world: &World) -> Palette {
    let mut palette = Palette::new();
    for letter in text.chars() {
        press(&mut palette, world, letter);
    }
    palette
}

/// What opens after Enter.
fn opened(text: &str, world: &World) -> &'static str {
    match &press_key(&mut typed(text, world), world, KeyCode::Enter)[..] {
        [Effect::Back, Effect::Push(screen)] => screen.title(),
        _ => "",
    }
}

#[test]
fn commands_are_offered_with_what_does_the_same() {
    let world = bed::world();
    for size in SIZES {
        let mut palette = Palette::new();
        insta::assert_snapshot!(format!("palette_{}", size.0), drawn(&mut palette, &world, size));
    }
    insta::assert_snapshot!(
        "palette_filtered",
        drawn(&mut typed("theme ", &world), &world, (80, 24))
    );
    let mut nothing = typed("nonsense", &world);
    press_key(&mut nothing, &world, KeyCode::Enter);
    insta::assert_snapshot!("palette_nothing", drawn(&mut nothing, &world, (80, 24)));
}

#[test]
fn a_beginning_will_do_and_the_arrows_choose() {
    let world = bed::world();
    assert_eq!(opened("dead-letters", &world), "dead letters");
    assert_eq!(opened("al", &world), "alerts");
    let mut palette = typed("l", &world);
    press_key(&mut palette, &world, KeyCode::Down);
    let effects = press_key(&mut palette, &world, KeyCode::Enter);
    assert!(matches!(&effects[..], [Effect::Back, Effect::Push(screen)] if screen.title() == "logs"));
    let quit = press_key(&mut typed("q", &world), &world, KeyCode::Enter);
    assert!(matches!(quit[..], [Effect::Back, Effect::Quit]));
    let nothing = press_key(&mut Palette::new(), &world, KeyCode::Enter);
    assert!(matches!(nothing[..], [Effect::Back]));
}

#[test]
fn a_job_is_named_by_the_beginning_of_its_id() {
    let world = bed::world();
    assert_eq!(opened("job 9f31c2ab", &world), "jobs of that name");
    assert_eq!(opened("job 9f31c2ab-0000-4000-8000-000000000001", &world), "job");
    let mut palette = typed("j", &world);
    assert!(press_key(&mut palette, &world, KeyCode::Enter).is_empty());
    assert_eq!(palette.line.text(), "job ", "what is missing is to be typed");
    assert!(press_key(&mut palette, &world, KeyCode::Enter).is_empty());
    palette.paste("zz\n", &world);
    assert!(press_key(&mut palette, &world, KeyCode::Enter).is_empty());
    assert!(drawn(&mut palette, &world, (80, 24)).contains("an id is a UUID"));
}

#[test]
fn a_theme_is_told_with_its_command() {
    let world = bed::world();
    let effects = press_key(&mut typed("theme light", &world), &world, KeyCode::Enter);
    let [
        Effect::Back,
        Effect::Notice(_, text),
        Effect::Theme(ThemeName::Light),
    ] = &effects[..]
    else {
        panic!("no theme");
    };
    assert!(text.ends_with("$ odd watch --theme light"), "{text}");
}

#[test]
fn what_is_not_permitted_is_not_offered() {
    let mut world = bed::world();
    world.mode = Mode::ServerReadOnly;
    let shown = drawn(&mut Palette::new(), &world, (80, 24));
    assert!(
        !shown.contains("launcher") && !shown.contains("a new task"),
        "{shown}"
    );
    assert_eq!(opened("new", &world), "");
}

#[test]
fn a_click_carries_out_and_beside_the_list_does_nothing() {
    let world = bed::world();
    let mut palette = Palette::new();
    let picture = drawn(&mut palette, &world, (80, 24));
    let (column, row) = place_of(&picture, "user interfaces");
    assert!(bed::click(&mut palette, &world, column, 0).is_empty());
    assert!(bed::click(&mut palette, &world, column, 23).is_empty());
    let effects = bed::click(&mut palette, &world, column, row);
    assert!(matches!(&effects[..], [Effect::Back, Effect::Push(screen)] if screen.title() == "interfaces"));
    let mut low = Palette::new();
    assert!(!drawn(&mut low, &world, (80, 6)).contains("user interfaces"));
    for _ in 0..5 {
        assert!(bed::turn(&mut low, &world, true).is_empty());
    }
    let picture = drawn(&mut low, &world, (80, 6));
    let (column, row) = place_of(&picture, "user interfaces");
    assert_eq!(bed::click(&mut low, &world, column, row).len(), 2);
}
