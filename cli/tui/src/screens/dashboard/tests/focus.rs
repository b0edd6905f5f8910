//! Which panel keys and clicks go to, and the live list.

use super::*;

#[test]
fn a_job_opens_from_the_live_list() {
    let mut world = happened(1..31);
    let mut dashboard = loaded(&world);
    let _ = drawn(&mut dashboard, &world, SIZES[1]);
    press_key(&mut dashboard, &world, KeyCode::Tab);
    press(&mut dashboard, &world, 'j');
    press(&mut dashboard, &world, 'j');
    // What happens now does not push away what is chosen.
    let more = (40..700).map(|n| bed::event(n << 96, EventType::Created, 0));
    world.take(Feed::Events(more.collect()));
    let shown = drawn(&mut dashboard, &world, SIZES[1]);
    assert!(shown.contains("held, 660 newer"), "{shown}");
    assert!(
        shown.contains("▸16:00:00.000 job.completed    0000001c"),
        "{shown}"
    );
    assert_eq!(dashboard.command(&world), "odd events --follow");
    let copied = press(&mut dashboard, &world, 'y');
    let id = Uuid::from_u128(28 << 96).to_string();
    assert!(matches!(&copied[..], [Effect::Copy(_, text)] if *text == id));
    let opened = press_key(&mut dashboard, &world, KeyCode::Enter);
    let [Effect::Push(job)] = &opened[..] else {
        panic!("the job opens");
    };
    assert_eq!(job.command(&world), "odd jobs get 0000001c --timeline");
    let narrow = drawn(&mut dashboard, &world, SIZES[0]);
    insta::assert_snapshot!("live_held", narrow);
    press_key(&mut dashboard, &world, KeyCode::Home);
    assert!(!drawn(&mut dashboard, &world, SIZES[1]).contains("held"));
    press(&mut dashboard, &world, 'j');
    press_key(&mut dashboard, &world, KeyCode::Esc);
    assert_eq!((dashboard.focus(), dashboard.live.is_held()), (Pane::Jobs, false));
}

#[test]
fn a_click_in_the_live_list_turns_to_it_and_a_second_opens() {
    let world = happened(1..31);
    let mut dashboard = loaded(&world);
    let _ = drawn(&mut dashboard, &world, SIZES[1]);
    let (column, row) = (100, 20);
    for chosen in [false, true] {
        let effects = bed::click(&mut dashboard, &world, column, row);
        assert_eq!(effects.len(), usize::from(chosen));
        assert_eq!(dashboard.focus(), Pane::Live);
        assert!(dashboard.live.is_held(), "it stays under the pointer");
    }
    // What only moves over the table does not turn to it.
    let moved = MouseEvent {
        kind: MouseEventKind::Moved,
        column: dashboard.rows.x,
        row: dashboard.rows.y,
        modifiers: crossterm::event::KeyModifiers::NONE,
    };
    assert!(dashboard.mouse(moved, &world).is_empty() && dashboard.focus() == Pane::Live);
    let (column, row) = (dashboard.rows.x, dashboard.rows.y);
    let turned = bed::click(&mut dashboard, &world, column, row);
    assert!(turned.is_empty(), "it only turns to the table");
    assert_eq!(dashboard.focus(), Pane::Jobs);
    let opened = bed::click(&mut dashboard, &world, column, row);
    assert!(matches!(opened[..], [Effect::Push(_)]));
}

#[test]
fn left_and_right_turn_to_the_panel_beside() {
    let world = happened(1..3);
    let mut dashboard = loaded(&world);
    for (size, panes) in [
        (SIZES[0], &[Pane::Jobs, Pane::System, Pane::Live, Pane::Live][..]),
        (SIZES[1], &[Pane::Jobs, Pane::Live, Pane::Live]),
    ] {
        let _ = drawn(&mut dashboard, &world, size);
        for pane in panes {
            assert_eq!(dashboard.focus(), *pane);
            press(&mut dashboard, &world, 'l');
        }
        for _ in panes {
            press_key(&mut dashboard, &world, KeyCode::Left);
        }
        assert_eq!(dashboard.focus(), Pane::Jobs);
        press_key(&mut dashboard, &world, KeyCode::BackTab);
        assert_eq!(dashboard.focus(), Pane::Live);
        press_key(&mut dashboard, &world, KeyCode::Tab);
        assert_eq!(dashboard.focus(), Pane::Jobs);
    }
}
