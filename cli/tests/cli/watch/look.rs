//! Colours, characters and sizes.

use odd_testkit::Pty;
use odd_testkit::pty::keys;

use super::{LONG, SIZE, back, command, footer, header, opened, quit, running, short, submit, watch};

/// What sequences that set colours and attributes (SGR) say, one list a sequence.
fn attributes(raw: &[u8]) -> Vec<Vec<u16>> {
    let text = String::from_utf8_lossy(raw);
    let sequences = text.split("\x1b[").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == ';'))?;
        rest[end..].starts_with('m').then(|| &rest[..end])
    });
    sequences
        .map(|numbers| {
            numbers
                .split(';')
                .filter_map(|number| number.parse().ok())
                .collect()
        })
        .collect()
}

/// The colours among them: numbers below 256, and larger ones for those of 24 bits. That which restores the default is none.
fn colours(raw: &[u8]) -> Vec<u16> {
    let mut found = Vec::new();
    for numbers in attributes(raw) {
        let mut numbers = numbers.into_iter();
        while let Some(number) = numbers.next() {
            match number {
                38 | 48 | 58 => match (numbers.next(), numbers.next()) {
                    (Some(5), Some(index)) => found.push(index),
                    _ => found.push(u16::MAX),
                },
                30..=37 | 40..=47 => found.push(number % 10),
                90..=97 | 100..=107 => found.push(8 + number % 10),
                _ => {}
            }
        }
    }
    found
}

#[test]
fn colours_are_those_that_the_terminal_has() {
    let odd = running();
    let id = submit(&odd, &["hello"]);
    let shown = |set: &dyn Fn(&mut std::process::Command)| {
        let mut command = command(&odd, &["watch"]);
        set(&mut command);
        let mut pty = opened(Pty::start(&command, SIZE));
        pty.wait_for_text(LONG, short(&id));
        let raw = pty.raw();
        quit(pty);
        colours(&raw)
    };
    let exact = shown(&|_| {});
    assert!(exact.contains(&u16::MAX), "{exact:?}");
    let sixteen = shown(&|command| {
        command.env_remove("COLORTERM");
    });
    assert!(
        !sixteen.is_empty() && sixteen.iter().all(|colour| *colour < 16),
        "{sixteen:?}"
    );
    let none = shown(&|command| {
        command.env("NO_COLOR", "1");
    });
    assert!(none.is_empty(), "{none:?}");
    let dumb = shown(&|command| {
        command.env("TERM", "dumb");
    });
    assert!(dumb.is_empty(), "{dumb:?}");
}

#[test]
fn ascii_is_ascii_alone() {
    let odd = running();
    let id = submit(&odd, &["hello", "--payload", r#"{"text":"héllo ✓ 日本 … 🦀"}"#]);
    let mut pty = watch(&odd, &["--ascii"]);
    pty.wait_for_text(LONG, short(&id));
    pty.send(keys::ENTER);
    pty.wait_until(LONG, "the job", |screen| {
        let whole = footer(screen).contains("odd jobs get");
        (whole && screen.contains("queue wait")).then_some(())
    });
    for _ in 0..2 {
        pty.send("\t");
    }
    pty.wait_for_text(LONG, "\"text\"");
    back(&mut pty);
    for (key, text) in [("U", "nterfaces"), ("?", "these keys")] {
        pty.send(key);
        pty.wait_until(LONG, text, |screen| {
            (screen.contains(text) && !footer(screen).contains("filter")).then_some(())
        });
        back(&mut pty);
    }
    let raw = pty.raw();
    let other: Vec<u8> = raw
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii())
        .take(40)
        .collect();
    assert!(other.is_empty(), "{}", String::from_utf8_lossy(&other));
    quit(pty);
}

/// What the borders of the regions look like, without what stands in them.
fn borders(screen: &str) -> String {
    let keep = |c: char| {
        if "┌┐└┘│─├┤\n".contains(c) {
            c
        } else {
            ' '
        }
    };
    let rows: String = screen.chars().map(keep).collect();
    let trimmed: Vec<&str> = rows.lines().map(str::trim_end).collect();
    trimmed.join("\n")
}

#[test]
fn a_storm_of_sizes_ends_drawn_right() {
    let odd = running();
    let id = submit(&odd, &["hello"]);
    let mut pty = watch(&odd, &[]);
    // The last row is drawn last: with it, the whole of the frame is there.
    let before = borders(&pty.wait_until(LONG, "the job, ended", |screen| {
        let ended = screen
            .lines()
            .any(|line| line.contains(short(&id)) && line.contains("COMPLETED"));
        (ended && footer(screen).contains("odd jobs list")).then(|| screen.to_owned())
    }));
    assert!(before.contains('┌'), "{before}");
    // Every width and height between the ends, in an order that jumps.
    for step in 0..100_u16 {
        pty.resize(1 + step * 97 % 250, 1 + step * 41 % 70);
    }
    pty.resize(SIZE.0, SIZE.1);
    pty.wait_until(LONG, "the same picture again", |screen| {
        let whole = header(screen).contains("healthy") && footer(screen).contains("quit");
        (whole && screen.contains(short(&id)) && borders(screen) == before).then_some(())
    });
    quit(pty);
}
