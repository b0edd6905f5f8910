//! `odd export`

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use odd_engine::InstanceName;
use odd_engine::compose::{self, Source};
use odd_engine::export::{self, ExportError, Fate, File};
use odd_engine::kubernetes::{self, KubernetesError, Overlay, Renderer, Tree};
use odd_engine::platform::THEN;
use serde::Serialize;
use serde_json::json;

use crate::context::Context;
use crate::error::Error;
use crate::exit::ExitCode;

/// Write what stacks are made of: Kubernetes manifests, or the files of Docker Compose.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Kubernetes manifests: rendered, to standard output, or with --to as they are, to build overlays on
    ///
    /// Rendering takes kustomize, or kubectl, which has it inside. The Secret `odd-secrets`, which pods wait for, is not among the manifests:
    /// README.md beside them tells how to make it.
    #[command(name = "k8s")]
    Kubernetes(Manifests),
    /// Files for `docker compose up`, with the name and the ports of the instance
    ///
    /// Without --to they are a tar archive on standard output.
    Compose(Files),
}

#[derive(Debug, clap::Args)]
struct Manifests {
    /// What is to be rendered
    #[arg(long, value_name = "NAME", default_value = Overlay::Kind.name(), value_parser = overlay())]
    overlay: Overlay,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, clap::Args)]
struct Files {
    /// Also write what is taken where no registry can be reached: images built from Debian packages
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, clap::Args)]
struct Target {
    /// Directory to write to; `-` is standard output
    #[arg(long, value_name = "DIRECTORY")]
    to: Option<PathBuf>,
    /// Replace files that are there and differ
    #[arg(long, requires = "to")]
    force: bool,
}

impl Target {
    /// The directory; none for standard output.
    fn directory(&self) -> Option<&Path> {
        self.to.as_deref().filter(|path| *path != Path::new("-"))
    }
}

fn overlay() -> impl TypedValueParser<Value = Overlay> {
    PossibleValuesParser::new(Overlay::ALL.map(Overlay::name)).try_map(|name| name.parse::<Overlay>())
}

/// Version 1 of the answer where files were written.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    version: u32,
    directory: String,
    files: Vec<Entry<'a>>,
}

#[derive(Debug, Serialize)]
struct Entry<'a> {
    path: &'a str,
    state: &'static str,
}

/// Writes them.
pub async fn run(context: &Context, args: Args) -> Result<ExitCode, Error> {
    match &args.command {
        Command::Kubernetes(args) => match args.target.directory() {
            Some(directory) => manifests(context, args, directory)?,
            None => rendered(context, args.overlay).await?,
        },
        Command::Compose(args) => files(context, args)?,
    }
    Ok(ExitCode::Ok)
}

fn manifests(context: &Context, args: &Manifests, directory: &Path) -> Result<(), Error> {
    let files = kubernetes::files().map_err(|e| Error::new("read the built-in manifests", e))?;
    write(context, &files, directory, args.target.force)?;
    let overlay = directory.join(args.overlay.folder());
    context.printer.note(&format!(
        "next: make the Secret odd-secrets as {} tells, then: kubectl apply --server-side -k {}",
        directory.join("k8s/README.md").display(),
        overlay.display()
    ));
    Ok(())
}

async fn rendered(context: &Context, overlay: Overlay) -> Result<(), Error> {
    let action = format!("render the overlay {overlay}");
    // Its name stands in the manifests, as that of the namespace too: what is printed must not be taken for another one's.
    if context.instance_name() != InstanceName::DEFAULT {
        let reason = format!(
            "the manifests are those of the instance {}, not of {}",
            InstanceName::DEFAULT,
            context.instance_name()
        );
        let hint = "odd export k8s --to DIRECTORY   (and an overlay of your own with another namespace)";
        return Err(Error::because(action, reason).hint(hint).code(ExitCode::Usage));
    }
    let failed = |error: KubernetesError| {
        let (hint, code) = (error.remedy(), code_of(&error));
        Error::new(action.clone(), error).hint(hint).code(code)
    };
    let tree = Tree::of(&Source::Embedded).map_err(failed)?;
    let renderer = Renderer::find(None).await.map_err(failed)?;
    let rendered = renderer.render(&tree.overlay(overlay)).await.map_err(failed)?;
    let printer = &context.printer;
    if printer.is_json() {
        // What kubectl takes as well: `kubectl apply -f -`.
        printer.json(&json!({"apiVersion": "v1", "kind": "List", "items": rendered.documents}))?;
    } else {
        printer.raw(rendered.text.as_bytes());
    }
    printer.note(&format!(
        "{} objects by {renderer}; the Secret odd-secrets, which they wait for, is not among them",
        rendered.documents.len()
    ));
    Ok(())
}

const fn code_of(error: &KubernetesError) -> ExitCode {
    match error {
        KubernetesError::TimedOut { .. } => ExitCode::TimedOut,
        KubernetesError::NoManifests { .. }
        | KubernetesError::NoRenderer { .. }
        | KubernetesError::NoKind { .. }
        | KubernetesError::KindBusy
        | KubernetesError::KindAsleep { .. }
        | KubernetesError::KindHalf
        | KubernetesError::Program { .. }
        | KubernetesError::Io { .. } => ExitCode::Prerequisite,
        KubernetesError::Refused { .. }
        | KubernetesError::KindFailed { .. }
        | KubernetesError::KindEnded { .. }
        | KubernetesError::TooMuch { .. }
        | KubernetesError::NotManifests { .. } => ExitCode::Failed,
    }
}

fn files(context: &Context, args: &Files) -> Result<(), Error> {
    let options = compose::ExportOptions {
        instance: context.instance.name.clone(),
        port_offset: context.instance.port_offset,
        offline: args.offline,
    };
    let files = compose::export(&Source::Embedded, &options).map_err(|e| {
        let hint = e.remedy();
        Error::new("export the compose files", e)
            .hint(hint)
            .code(ExitCode::Usage)
    })?;
    let Some(directory) = args.target.directory() else {
        return archive(context, &files);
    };
    write(context, &files, directory, args.target.force)?;
    let folder = directory.display();
    let (first, how) = match args.offline {
        true => (format!("scripts/images.sh{THEN}"), " --no-build"),
        false => (String::new(), ""),
    };
    let printer = &context.printer;
    printer.note(&format!(
        "next: cd {folder}{THEN}{first}docker compose up --wait{how}"
    ));
    printer.warn(
        "everybody knows the passwords in .env: change them before anything but 127.0.0.1 is published",
    );
    Ok(())
}

fn archive(context: &Context, files: &[File]) -> Result<(), Error> {
    let action = "write the compose files to standard output";
    let printer = &context.printer;
    if printer.is_json() || std::io::stdout().is_terminal() {
        let reason = "they are several files: there they are a tar archive";
        let hint = "odd export compose --to DIRECTORY   (or: odd export compose | tar x)";
        return Err(Error::because(action, reason).hint(hint).code(ExitCode::Usage));
    }
    printer.raw(&export::archive(files).map_err(|e| Error::new(action, e))?);
    Ok(())
}

/// Writes files to a directory and tells what became of them.
fn write(context: &Context, files: &[File], directory: &Path, force: bool) -> Result<(), Error> {
    let fates = export::write(files, directory, force).map_err(|error| {
        let action = format!("export to {}", directory.display());
        let hint = match &error {
            ExportError::Exists { .. } => "take another directory, or --force, which replaces them",
            ExportError::Io { .. } => "take a directory that can be written",
        };
        Error::new(action, error).hint(hint).code(ExitCode::Prerequisite)
    })?;
    let printer = &context.printer;
    if printer.is_json() {
        let entries = files.iter().zip(&fates).map(|(file, fate)| Entry {
            path: &file.path,
            state: state(*fate),
        });
        return printer.json(&Answer {
            version: 1,
            directory: directory.display().to_string(),
            files: entries.collect(),
        });
    }
    let count = |fate| fates.iter().filter(|other| **other == fate).count();
    let counts = [Fate::Created, Fate::Replaced, Fate::Unchanged].map(|fate| (count(fate), state(fate)));
    let counts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, state)| format!("{count} {state}"))
        .collect();
    printer.ok(&format!(
        "files in {}: {}",
        directory.display(),
        counts.join(", ")
    ));
    Ok(())
}

const fn state(fate: Fate) -> &'static str {
    match fate {
        Fate::Created => "created",
        Fate::Replaced => "replaced",
        Fate::Unchanged => "unchanged",
    }
}
