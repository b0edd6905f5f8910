//! The rules of the workspace itself: where libraries live, which way dependencies point, and that the documents
//! speak of what there is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};
use odd_cli::exit::ExitCode;
use odd_contracts::{Role, alert};

/// A heavy library has one home. Libraries that nothing uses yet are named too, so that the rule stands before they come.
const HOMES: &[(&[&str], &[&str])] = &[
    (
        &[
            "sqlx",
            "sqlx-core",
            "sqlx-sqlite",
            "sqlx-postgres",
            "libsqlite3-sys",
            "rusqlite",
            "mongodb",
            "redis",
        ],
        &["odd-store"],
    ),
    (&["lapin", "amqprs"], &["odd-spine"]),
    (
        &["bollard", "docker-compose-types", "kube", "k8s-openapi"],
        &["odd-engine"],
    ),
    (&["ratatui", "crossterm"], &["odd-tui"]),
    (&["portable-pty"], &["odd-web", "odd-testkit"]),
    // The binary only names it, for the features that it enables in other libraries.
    (&["testcontainers"], &["odd-testkit", "odd"]),
    (
        &[
            "clap",
            "clap_complete",
            "clap_mangen",
            "dialoguer",
            "indicatif",
            "anyhow",
        ],
        &["odd"],
    ),
];

const ROLES: &[&str] = &[
    "odd-gateway",
    "odd-processor",
    "odd-metrics-engine",
    "odd-read-model",
    "odd-web",
];

/// What each crate may depend on within the workspace. The spine sees the store because SQL lives in the store only.
const ARROWS: &[(&str, &[&str])] = &[
    ("odd-contracts", &[]),
    ("odd-runtime", &["odd-contracts"]),
    ("odd-store", &["odd-contracts"]),
    ("odd-spine", &["odd-contracts", "odd-store"]),
    ("odd-client", &["odd-contracts"]),
    ("odd-engine", &["odd-contracts", "odd-client"]),
    ("odd-look", &["odd-contracts"]),
    ("odd-tui", &["odd-contracts", "odd-client", "odd-look"]),
    (
        "odd-testkit",
        &[
            "odd-contracts",
            "odd-client",
            "odd-engine",
            "odd-store",
            "odd-spine",
        ],
    ),
];

/// What a role may depend on within the workspace: never another role.
const ARROWS_OF_ROLES: &[&str] = &["odd-contracts", "odd-runtime", "odd-store", "odd-spine"];

static METADATA: LazyLock<Metadata> = LazyLock::new(|| {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .other_options(["--locked".to_owned(), "--offline".to_owned()])
        .exec()
        .expect("cargo describes the workspace")
});

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

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

fn packages() -> impl Iterator<Item = &'static Package> {
    METADATA.packages.iter()
}

/// Names of the crates that a crate depends on in its own code (not in its tests).
fn dependencies(package: &Package) -> BTreeSet<&str> {
    let own = package.dependencies.iter();
    own.filter(|dependency| dependency.kind != DependencyKind::Development)
        .map(|dependency| dependency.name.as_str())
        .collect()
}

#[test]
fn heavy_libraries_have_one_home() {
    for (libraries, homes) in HOMES {
        for package in packages().filter(|package| !homes.contains(&package.name.as_str())) {
            // In tests too: what a test needs of them, the testkit or the home itself offers.
            let foreign: Vec<_> = package
                .dependencies
                .iter()
                .map(|dependency| dependency.name.as_str())
                .filter(|name| libraries.contains(name))
                .collect();
            assert!(
                foreign.is_empty(),
                "{} depends on {foreign:?}, whose home is {homes:?}",
                package.name
            );
        }
    }
}

#[test]
fn deny_toml_bans_what_the_table_of_homes_bans() {
    let deny: toml::Table = read("deny.toml").parse().unwrap();
    let bans = deny["bans"]["deny"].as_array().unwrap();
    let mut compared = 0;
    for ban in bans.iter().filter(|ban| ban.get("wrappers").is_some()) {
        let library = ban["crate"].as_str().unwrap();
        let (_, homes) = HOMES
            .iter()
            .find(|(libraries, _)| libraries.contains(&library))
            .unwrap_or_else(|| panic!("{library} has no home in HOMES"));
        let wrappers = ban["wrappers"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(toml::Value::as_str);
        let is_ours = |wrapper: &&str| *wrapper == "odd" || wrapper.starts_with("odd-");
        let ours: Vec<_> = wrappers.filter(is_ours).collect();
        assert_eq!(&ours, homes, "wrappers of {library}");
        compared += 1;
    }
    assert!(compared > 0, "deny.toml has no wrappers");
}

#[test]
fn dependencies_point_one_way() {
    let workspace: BTreeSet<&str> = packages().map(|package| package.name.as_str()).collect();
    for package in packages() {
        let name = package.name.as_str();
        let permitted: BTreeSet<&str> = if name == "odd" {
            workspace
                .iter()
                .copied()
                .filter(|other| *other != "odd-testkit")
                .collect()
        } else if ROLES.contains(&name) {
            ARROWS_OF_ROLES.iter().copied().collect()
        } else {
            let arrows = ARROWS.iter().find(|(of, _)| *of == name);
            let (_, arrows) = arrows.unwrap_or_else(|| panic!("{name} has no line in ARROWS"));
            arrows.iter().copied().collect()
        };
        let within: BTreeSet<&str> = dependencies(package).intersection(&workspace).copied().collect();
        let wrong: Vec<_> = within.difference(&permitted).collect();
        assert!(wrong.is_empty(), "{name} must not depend on {wrong:?}");
    }
}

#[test]
fn roles_do_not_meet_even_in_tests() {
    for package in packages().filter(|package| ROLES.contains(&package.name.as_str())) {
        let all = package
            .dependencies
            .iter()
            .map(|dependency| dependency.name.as_str());
        let met: Vec<_> = all.filter(|name| ROLES.contains(name)).collect();
        assert!(met.is_empty(), "{} depends on {met:?}", package.name);
    }
}

#[test]
fn every_library_comes_from_the_public_registry() {
    let lock: toml::Table = read("Cargo.lock").parse().unwrap();
    let packages = lock["package"].as_array().unwrap();
    assert!(packages.len() > 100, "the lock file was read");
    for package in packages {
        let name = package["name"].as_str().unwrap();
        match package.get("source").and_then(toml::Value::as_str) {
            None => assert!(name == "odd" || name.starts_with("odd-"), "{name} has no source"),
            Some(source) => {
                assert_eq!(
                    source, "registry+https://github.com/rust-lang/crates.io-index",
                    "{name}"
                );
                assert!(package.get("checksum").is_some(), "{name} has no checksum");
            }
        }
    }
}

/// Otherwise `make test` compiles most libraries once more after `make up`.
#[test]
fn tests_use_libraries_with_the_features_of_the_development_build() {
    let development = features(&["-p", "odd", "-e", "normal,build"]);
    let tests = features(&["--workspace", "-e", "normal,build,dev"]);
    let differing: BTreeMap<_, _> = development
        .iter()
        .filter(|(library, builds)| {
            !tests
                .get(*library)
                .is_some_and(|others| others.is_superset(builds))
        })
        .collect();
    assert!(
        differing.is_empty(),
        "a feature that only tests enable belongs under `failpoints` in cli/Cargo.toml as well: {differing:#?}"
    );
}

/// Features that cargo enables in each library, per version and (host and target) build.
fn features(selection: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let cargo = std::env::var_os("CARGO").expect("cargo runs the tests");
    let output = Command::new(cargo)
        .current_dir(root())
        .args(["tree", "--locked", "--offline", "--prefix", "none", "--no-dedupe"])
        .args(["--features", "odd/failpoints", "--format", "{p}\t{f}"])
        .args(selection)
        .output()
        .expect("cargo can be run");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if let Some((library, features)) = line.split_once('\t') {
            let library = library.split(" (").next().unwrap_or(library);
            all.entry(library.to_owned())
                .or_default()
                .insert(features.to_owned());
        }
    }
    assert!(all.len() > 100, "cargo tree was read");
    all
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
fn the_readme_names_every_environment_variable_and_no_other() {
    let readme = read("README.md");
    let mut known = variables(&read("contracts/src/names.rs"));
    known.extend(variables(&read("cli/src/settings.rs")));
    assert!(known.len() > 10, "the list of variables was read");
    let rows = rows_after(&readme, "| variable |");
    let documented: BTreeSet<String> = rows.iter().flat_map(|row| variables(row)).collect();
    assert_eq!(documented, known);
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
