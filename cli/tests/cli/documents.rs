//! The documents speak of what there is: commands, files, names, roles, exit codes, variables and runbooks.

use std::collections::BTreeSet;
use std::path::Path;

use odd_cli::exit::ExitCode;
use odd_contracts::{Role, alert};

use crate::workspace::{read, root};

/// Every document for people, with its path from the root.
fn documents() -> Vec<(String, String)> {
    let docs = std::fs::read_dir(root().join("docs")).expect("there are documents");
    let mut paths: Vec<String> = docs
        .map(|entry| entry.expect("the folder can be read").file_name())
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.ends_with(".md"))
        .map(|name| format!("docs/{name}"))
        .collect();
    paths.extend(["README.md", "CONTRIBUTING.md"].map(str::to_owned));
    paths
        .into_iter()
        .map(|path| (path.clone(), read(&path)))
        .collect()
}

#[test]
fn examples_in_documents_are_commands_that_exist() {
    let command = odd_cli::args::command();
    let names: BTreeSet<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
    let (mut seen, mut wrong) = (0, Vec::new());
    for (path, text) in documents() {
        for line in shell_lines(&text) {
            for words in odd_commands(&line) {
                let parsed = odd_cli::args::command().try_get_matches_from(&words);
                if let Err(error) = parsed.as_ref().map_err(ToString::to_string) {
                    wrong.push(format!("{path}: {line}\n{error}"));
                }
                seen += 1;
            }
        }
        for span in code_spans(&prose(&text)).filter(|span| span.starts_with("odd ")) {
            let name = span.split_whitespace().nth(1).unwrap_or_default();
            if !names.contains(name) && !name.starts_with('-') {
                wrong.push(format!("{path}: there is no command `{span}`"));
            }
            seen += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 30, "only {seen} examples were found");
}

#[test]
fn files_and_names_in_documents_exist() {
    let mut seen = 0;
    for (path, text) in documents() {
        let mut file: Option<(String, String)> = None;
        for line in prose(&text).lines() {
            // A name belongs to the file named last before it in the same paragraph, item or row.
            if line.is_empty() || line.starts_with(|c: char| c.is_ascii_digit() || "-|".contains(c)) {
                file = None;
            }
            for span in code_spans(line) {
                if is_path(span) {
                    let place = root().join(span);
                    assert!(place.exists(), "{path}: there is no {span}");
                    file = place.is_file().then(|| (span.to_owned(), read(span)));
                    seen += 1;
                } else if path == "docs/architecture.md"
                    && let (Some((name, source)), Some(symbol)) = (&file, symbol(span))
                {
                    assert!(has_word(source, symbol), "{path}: {name} has no {symbol}");
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 60, "only {seen} files and names were found");
}

#[test]
fn links_between_documents_lead_somewhere() {
    for (path, text) in documents() {
        let folder = root()
            .join(&path)
            .parent()
            .map(Path::to_path_buf)
            .unwrap_or_default();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            let external = target.starts_with("http");
            assert!(
                external || file.is_empty() || folder.join(file).exists(),
                "{path} links to {target}, which is not there"
            );
        }
    }
}

#[test]
fn the_table_of_roles_in_the_readme_is_the_list_of_roles() {
    let readme = read("README.md");
    let expected: Vec<String> = Role::ALL
        .into_iter()
        .map(|role| format!("| `{role}` | {} | {} |", role.default_port(), role.summary()))
        .collect();
    let rows: Vec<&str> = rows_after(&readme, "| role | port |");
    assert_eq!(rows, expected);
}

#[test]
fn the_table_of_exit_codes_in_the_readme_is_the_list_of_exit_codes() {
    let readme = read("README.md");
    let expected: Vec<String> = ExitCode::ALL
        .into_iter()
        .map(|code| format!("| {} | {} |", code as u8, code.meaning()))
        .collect();
    assert_eq!(rows_after(&readme, "| exit code |"), expected);
}

#[test]
fn the_page_on_configuration_names_every_environment_variable_and_no_other() {
    let page = read("docs/configuration.md");
    let mut known = variables(&read("contracts/src/names.rs"));
    known.extend(variables(&read("cli/src/settings.rs")));
    assert!(known.len() > 10, "the list of variables was read");
    let rows = rows_after(&page, "| variable |");
    let documented: BTreeSet<String> = rows.iter().flat_map(|row| variables(row)).collect();
    assert_eq!(documented, known);
    // Those of installers are told where they are installed.
    known.extend(variables(&read("install.sh")));
    let named: BTreeSet<String> = documents().iter().flat_map(|(_, text)| variables(text)).collect();
    let unknown: Vec<_> = named.difference(&known).collect();
    assert!(unknown.is_empty(), "documents name {unknown:?}");
}

#[test]
fn every_alert_has_a_runbook() {
    let runbooks = read("docs/runbooks.md");
    let titles: Vec<&str> = runbooks
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .collect();
    for condition in alert::condition::ALL {
        assert!(
            titles.contains(&condition),
            "{condition} has no section in {titles:?}"
        );
    }
}

/// Lines of fenced blocks of shell, without prompts and with continued lines joined.
fn shell_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let (mut inside, mut console) = (false, false);
    for line in text.replace("\\\n", " ").lines() {
        match line.trim_start().strip_prefix("```") {
            Some(_) if inside => inside = false,
            Some(language) => {
                console = language == "console";
                inside = console || language == "sh";
            }
            // In a recording of a console only what follows a prompt is a command.
            None if inside => match line.trim_start().strip_prefix("$ ") {
                Some(command) => lines.push(command.to_owned()),
                None if console => {}
                None => lines.push(line.trim_start().to_owned()),
            },
            None => {}
        }
    }
    lines
}

/// The words of each `odd` command in a line of shell. An id of a job stands in for variables.
fn odd_commands(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    for word in shell_words(line) {
        match word.as_str() {
            "#" => break,
            "&&" | "||" | "|" | ";" | "&" => commands.push(Vec::new()),
            _ => commands.last_mut().expect("never empty").push(word),
        }
    }
    let unassigned = commands.into_iter().map(|words: Vec<String>| {
        let assignment = |word: &String| word.starts_with("ODD_") && word.contains('=');
        words.into_iter().skip_while(assignment).collect::<Vec<_>>()
    });
    unassigned
        .filter(|words| words.first().is_some_and(|word| word == "odd"))
        .map(|words| {
            let value = |word: String| match word.starts_with('$') {
                true => "0198f3a2-5c1e-7d3a-9a54-3f0d6c1b2e77".to_owned(),
                false => word,
            };
            words
                .into_iter()
                .take_while(|word| word != ">")
                .map(value)
                .collect()
        })
        .collect()
}

/// Words of a line, as a shell separates them; quotes hold words together.
fn shell_words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in line.chars() {
        let last = words.last_mut().expect("never empty");
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, ' ') => words.push(String::new()),
            _ => last.push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A text without its fenced blocks.
fn prose(text: &str) -> String {
    let mut inside = false;
    let mut prose = String::new();
    for line in text.lines() {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        if !inside && !fence {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    prose
}

/// What stands between backticks, line by line.
fn code_spans(prose: &str) -> impl Iterator<Item = &str> {
    prose.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// Whether a span names a file or folder of this repository.
fn is_path(span: &str) -> bool {
    let plain = span
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "./_-".contains(c));
    let relative = !span.starts_with('/') && !span.starts_with("./");
    let known = [".rs", ".md", ".toml", ".json", ".sql", ".yml", ".sh"];
    plain
        && relative
        && span.contains('/')
        && (span.ends_with('/') || known.iter().any(|extension| span.ends_with(extension)))
}

/// The last name of a path such as `Acceptor::accept` or `run()`; none where a span is no name of Rust.
fn symbol(span: &str) -> Option<&str> {
    let name = span.trim_end_matches("()").rsplit("::").next()?;
    let rust = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic());
    (rust && starts && (span.contains("::") || span.ends_with("()"))).then_some(name)
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .any(|found| found == word)
}

/// Rows of the table with this heading.
fn rows_after<'a>(text: &'a str, heading: &str) -> Vec<&'a str> {
    let lines = text.lines().skip_while(|line| !line.starts_with(heading)).skip(2);
    let rows: Vec<&str> = lines.take_while(|line| line.starts_with('|')).collect();
    assert!(!rows.is_empty(), "there is no table {heading}");
    rows
}

/// Names of environment variables of ours in a text.
fn variables(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_ascii_uppercase() && c != '_')
        .filter(|word| word.starts_with("ODD_") && word.len() > 4)
        .map(str::to_owned)
        .collect()
}
