//! The commands of a document, run as its readers do: one shell for all of it, in order.

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// A fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Title of the section that it stands in.
    pub section: String,
    /// What stands behind its fence.
    pub language: String,
    /// What it holds.
    pub lines: Vec<String>,
}

/// The fenced blocks of a text in Markdown.
pub fn blocks(text: &str) -> Vec<Block> {
    let (mut found, mut section, mut open) = (Vec::new(), String::new(), None::<Block>);
    for line in text.lines() {
        match (line.trim_start().strip_prefix("```"), open.as_mut()) {
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(language), None) => {
                open = Some(Block {
                    section: section.clone(),
                    language: language.to_owned(),
                    lines: Vec::new(),
                });
            }
            (None, Some(block)) => block.lines.push(line.trim_start().to_owned()),
            (None, None) => {
                if let Some(title) = line.strip_prefix("## ") {
                    title.clone_into(&mut section);
                }
            }
        }
    }
    found
}

/// A line of shell without what is said of it.
pub fn plain(line: &str) -> &str {
    let code = line.split("   #").next().unwrap_or_default().trim();
    if code.starts_with("# ") { "" } else { code }
}

/// What differs between a reader's machine and a test's.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Lines that are not run here.
    pub elsewhere: &'a [&'a str],
    /// What a reader fills in or has otherwise: a text of the document, and the one that stands in its place.
    pub filled: &'a [(&'a str, &'a str)],
}

/// What a document shows of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The command, as the document has it.
    pub command: String,
    /// What it printed when that was written.
    pub output: Vec<String>,
}

/// The first command that fails ends a script and is named; what it left in the background ends with it.
const PRELUDE: &str = "\
set -eEuo pipefail
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
trap 'echo \"the document: «$BASH_COMMAND» ended with $?\" >&2' ERR
";

/// One script for bash of all that blocks of `sh` and `console` hold, and what the latter show. The output of the
/// n-th of these goes to the file `n` of the folder `$SHOWN`.
///
/// # Panics
/// Where a console does not begin with a command.
pub fn script(blocks: &[Block], rules: &Rules<'_>) -> (String, Vec<Shown>) {
    let mut script = PRELUDE.to_owned();
    let mut shown: Vec<Shown> = Vec::new();
    for block in blocks {
        let console = block.language == "console";
        let begins = block.lines.first().is_some_and(|line| line.starts_with("$ "));
        assert!(begins || !console, "a console begins with a command: {block:?}");
        for line in block.lines.iter().filter(|_| console || block.language == "sh") {
            let code = plain(line);
            match (console, line.strip_prefix("$ ")) {
                (false, _) if !code.is_empty() && !rules.elsewhere.contains(&code) => {
                    writeln!(script, "{}", filled(line, rules)).expect("a string takes everything");
                }
                (false, _) => {}
                (true, Some(command)) => {
                    let (file, run) = (shown.len(), filled(command, rules));
                    writeln!(script, "{{ {run}\n}} >\"$SHOWN/{file}\" 2>&1")
                        .expect("a string takes everything");
                    shown.push(Shown {
                        command: command.to_owned(),
                        output: Vec::new(),
                    });
                }
                (true, None) => shown
                    .last_mut()
                    .expect("a console begins with a command")
                    .output
                    .push(line.clone()),
            }
        }
    }
    (script, shown)
}

fn filled(line: &str, rules: &Rules<'_>) -> String {
    let fill = |text: String, (from, to): &(&str, &str)| text.replace(from, to);
    rules.filled.iter().fold(line.to_owned(), fill)
}

impl Shown {
    /// Lines that the document shows and whose words are in no line of what was printed. Figures, ids and times are none.
    pub fn differing(&self, printed: &str) -> Vec<&str> {
        let printed: Vec<BTreeSet<&str>> = printed.lines().map(labels).collect();
        let shown = self.output.iter().map(String::as_str);
        shown
            .filter(|line| !printed.iter().any(|other| labels(line).is_subset(other)))
            .collect()
    }
}

/// Words that stay the same whenever a command is run: no units, such as `µs`, which has three bytes.
fn labels(line: &str) -> BTreeSet<&str> {
    let words = line.split(|c: char| !c.is_alphanumeric());
    words
        .filter(|word| word.chars().count() > 2 && word.chars().all(char::is_alphabetic))
        .filter(|word| !["ago", "just", "now"].contains(word))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# Title

## First

```sh
# said of it
odd up          # and this, too
make up
PORT=3000
```

## Second

```console
$ odd status
observatory running   12 s ago
  gateway  ready  http://127.0.0.1:3000
```
";

    #[test]
    fn what_is_run_is_what_the_document_says_but_for_the_rules() {
        let rules = Rules {
            elsewhere: &["make up"],
            filled: &[("3000", "4000")],
        };
        let (script, shown) = script(&blocks(TEXT), &rules);
        let lines: Vec<&str> = script.lines().skip(PRELUDE.lines().count()).collect();
        assert_eq!(
            lines,
            [
                "odd up          # and this, too",
                "PORT=4000",
                "{ odd status",
                "} >\"$SHOWN/0\" 2>&1"
            ]
        );
        assert_eq!((shown.len(), shown[0].output.len()), (1, 2));
        assert_eq!(blocks(TEXT)[1].section, "Second");
    }

    #[test]
    fn what_is_shown_is_compared_by_its_words() {
        let (_, shown) = script(
            &blocks(TEXT),
            &Rules {
                elsewhere: &[],
                filled: &[],
            },
        );
        let like = "observatory running just now\n✓ gateway ready http://127.0.0.1:14000\n";
        assert_eq!(shown[0].differing(like), <Vec<&str>>::new());
        assert_eq!(labels("queue wait 822 µs"), labels("queue wait 2.6 ms"));
        let unlike = "observatory running just now\n✓ gateway down http://127.0.0.1:14000\n";
        assert_eq!(
            shown[0].differing(unlike),
            ["gateway  ready  http://127.0.0.1:3000"]
        );
    }
}
