//! `odd contracts`

use std::io::Read;
use std::path::{Path, PathBuf};

use odd_contracts::FieldError;
use odd_contracts::compat::{self, CompatReport};
use odd_contracts::schema::{self, Schema};
use serde::Serialize;
use serde_json::Value;

use crate::context::Context;
use crate::error::Error;
use crate::exit::ExitCode;
use crate::output::{Glyph, Tone};

/// Check documents and schemas against the contracts.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check JSON documents against their schema; exits with 6 where one breaks it
    Validate(ValidateArgs),
    /// Tell whether a schema's version rose as its changes ask for; exits with 6 where not
    Compat {
        /// The schema as it was
        old: PathBuf,
        /// The schema as it is
        new: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
struct ValidateArgs {
    /// Documents; `-` is standard input. A file that ends in .ndjson or .jsonl has one a line
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Schema that they shall keep; told from each document's shape where absent
    #[arg(long, value_name = "NAME")]
    schema: Option<Schema>,
}

/// Version 1 of the answer of `validate`.
#[derive(Debug, Serialize)]
struct Validation {
    version: u32,
    ok: bool,
    documents: Vec<Judgement>,
}

#[derive(Debug, Serialize)]
struct Judgement {
    document: String,
    schema: Option<&'static str>,
    ok: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

/// Version 1 of the answer of `compat`.
#[derive(Debug, Serialize)]
struct Compatibility<'a> {
    version: u32,
    #[serde(flatten)]
    report: &'a CompatReport,
}

/// Checks and prints.
pub fn run(context: &Context, args: &Args) -> Result<ExitCode, Error> {
    match &args.command {
        Command::Validate(args) => validate(context, args),
        Command::Compat { old, new } => compat(context, old, new),
    }
}

fn validate(context: &Context, args: &ValidateArgs) -> Result<ExitCode, Error> {
    let mut documents = Vec::new();
    for file in &args.files {
        let text = read(file)?;
        for (name, text) in split(file, &text) {
            documents.push(judge(name, text, args.schema));
        }
    }
    let ok = documents.iter().all(|d| d.ok);
    let printer = &context.printer;
    if printer.is_json() {
        printer.json(&Validation {
            version: 1,
            ok,
            documents,
        })?;
    } else {
        for judgement in &documents {
            print(context, judgement);
        }
    }
    Ok(if ok { ExitCode::Ok } else { ExitCode::GateFailed })
}

fn read(file: &Path) -> Result<String, Error> {
    let text = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(file)
    };
    text.map_err(|e| Error::new(format!("read {}", file.display()), e).code(ExitCode::Prerequisite))
}

/// The documents in a file, each with the name that it is reported under.
fn split<'a>(file: &Path, text: &'a str) -> Vec<(String, &'a str)> {
    let name = file.display().to_string();
    let by_line = file.extension().is_some_and(|e| e == "ndjson" || e == "jsonl");
    if !by_line {
        return vec![(name, text)];
    }
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(number, line)| (format!("{name}:{}", number + 1), line))
        .collect()
}

fn judge(document: String, text: &str, schema: Option<Schema>) -> Judgement {
    let failed = |schema: Option<Schema>, errors| Judgement {
        document: document.clone(),
        schema: schema.map(Schema::name),
        ok: false,
        errors,
    };
    let whole = |message: String| {
        vec![FieldError {
            path: String::new(),
            message,
        }]
    };
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) => return failed(schema, whole(format!("no JSON: {error}"))),
    };
    let Some(schema) = schema.or_else(|| Schema::detect(&value)) else {
        return failed(
            None,
            whole("its shape is of no contract; name one with --schema".to_owned()),
        );
    };
    match schema::validate(schema, &value) {
        Ok(()) => Judgement {
            document: document.clone(),
            schema: Some(schema.name()),
            ok: true,
            errors: Vec::new(),
        },
        Err(errors) => failed(Some(schema), errors),
    }
}

fn print(context: &Context, judgement: &Judgement) {
    let printer = &context.printer;
    let schema = judgement.schema.unwrap_or("no contract");
    let (mark, word) = if judgement.ok {
        (printer.mark(Glyph::Ok, Tone::Ok), "keeps")
    } else {
        (printer.mark(Glyph::Bad, Tone::Bad), "breaks")
    };
    printer.line(&format!("{mark} {} {word} {schema}", judgement.document));
    for error in &judgement.errors {
        let path = if error.path.is_empty() { "/" } else { &error.path };
        printer.line(&format!("    {path}: {}", error.message));
    }
}

fn compat(context: &Context, old: &Path, new: &Path) -> Result<ExitCode, Error> {
    let report = compat::compare(&parse(old)?, &parse(new)?);
    let printer = &context.printer;
    if printer.is_json() {
        printer.json(&Compatibility {
            version: 1,
            report: &report,
        })?;
    } else {
        for change in &report.breaking {
            printer.line(&format!("{} {change}", printer.mark(Glyph::Bad, Tone::Bad)));
        }
        for change in &report.additive {
            printer.line(&format!("{} {change}", printer.mark(Glyph::Ok, Tone::Ok)));
        }
        printer.line(&report.verdict);
    }
    Ok(if report.ok {
        ExitCode::Ok
    } else {
        ExitCode::GateFailed
    })
}

fn parse(file: &Path) -> Result<Value, Error> {
    serde_json::from_str(&read(file)?)
        .map_err(|e| Error::new(format!("read {} as JSON", file.display()), e).code(ExitCode::Usage))
}
