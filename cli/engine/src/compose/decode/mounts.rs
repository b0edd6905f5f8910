//! Volumes and memory file systems, in the short and in the long form.

use super::{Item, scalar};
use crate::compose::ComposeError;
use crate::compose::model::Mount;

const BIND: &str = "binds a directory of this machine, which an engine on another machine does not have: use a volume, or configs for files";

/// A mount and where it stands, for messages on its volume.
pub(super) struct Placed<'a> {
    pub(super) item: Item<'a>,
    pub(super) mount: Mount,
}

/// Adds `volumes`. A later mount of the same target replaces the earlier one.
pub(super) fn volumes<'a>(item: &Item<'a>, all: &mut Vec<Placed<'a>>) -> Result<(), ComposeError> {
    for item in item.items()? {
        let mount = match item.is_mapping() {
            true => long(&item)?,
            false => item.parsed(short)?,
        };
        put(item, mount, all)?;
    }
    Ok(())
}

/// Adds `tmpfs`: `/path` or `/path:options`.
pub(super) fn tmpfs<'a>(item: &Item<'a>, all: &mut Vec<Placed<'a>>) -> Result<(), ComposeError> {
    for item in item.items()? {
        let text = item.string()?;
        let (target, options) = text.split_once(':').unwrap_or((&text, ""));
        let mount = Mount::Tmpfs {
            target: target.to_owned(),
            options: options.to_owned(),
        };
        put(item, mount, all)?;
    }
    Ok(())
}

fn put<'a>(item: Item<'a>, mount: Mount, all: &mut Vec<Placed<'a>>) -> Result<(), ComposeError> {
    if !mount.target().starts_with('/') {
        return Err(item.invalid(format!(
            "{:?} is no absolute path in the container",
            mount.target()
        )));
    }
    match all
        .iter_mut()
        .find(|other| other.mount.target() == mount.target())
    {
        Some(other) => *other = Placed { item, mount },
        None => all.push(Placed { item, mount }),
    }
    Ok(())
}

/// `[NAME:]/TARGET[:OPTIONS]`.
fn short(text: &str) -> Result<Mount, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, options) = match parts.as_slice() {
        [target] => (None, *target, ""),
        [source, target] => (Some(*source), *target, ""),
        [source, target, options] => (Some(*source), *target, *options),
        _ => return Err(format!("{text:?} is no mount: it is name:/path or name:/path:ro")),
    };
    if let Some(source) = source {
        if source.starts_with(['.', '/', '~']) || source.contains(['/', '\\']) {
            return Err(format!("{text:?} {BIND}"));
        }
        if source.is_empty() {
            return Err(format!("{text:?} names no volume"));
        }
    }
    let (mut read_only, mut no_copy) = (false, false);
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option {
            "ro" => read_only = true,
            "rw" => read_only = false,
            "nocopy" => no_copy = true,
            _ => {
                return Err(format!(
                    "the option {option:?} of a mount is not supported; there are ro, rw and nocopy"
                ));
            }
        }
    }
    Ok(Mount::Volume {
        source: source.map(str::to_owned),
        target: target.to_owned(),
        read_only,
        no_copy,
    })
}

fn long(item: &Item<'_>) -> Result<Mount, ComposeError> {
    let mut fields = item.fields()?;
    let kind = fields
        .read("type", Item::string)?
        .ok_or_else(|| item.invalid("a mount needs a type"))?;
    let target = fields
        .read("target", Item::string)?
        .ok_or_else(|| item.invalid("a mount needs a target"))?;
    let mount = match kind.as_str() {
        "volume" => Mount::Volume {
            source: fields.read("source", Item::string)?,
            target,
            read_only: fields.read_or_default("read_only", Item::boolean)?,
            no_copy: fields.read_or_default("volume", no_copy)?,
        },
        "tmpfs" => Mount::Tmpfs {
            target,
            options: fields.read_or_default("tmpfs", memory)?,
        },
        "bind" => return Err(item.invalid(format!("this {BIND}"))),
        _ => {
            return Err(item.invalid(format!(
                "mounts of type {kind:?} are not supported; there are volume and tmpfs"
            )));
        }
    };
    fields.finish()?;
    Ok(mount)
}

fn no_copy(item: &Item<'_>) -> Result<bool, ComposeError> {
    let mut fields = item.fields()?;
    let no_copy = fields.read_or_default("nocopy", Item::boolean)?;
    fields.finish()?;
    Ok(no_copy)
}

fn memory(item: &Item<'_>) -> Result<String, ComposeError> {
    let mut fields = item.fields()?;
    let size = fields.read("size", Item::bytes)?;
    let mode = fields.read("mode", |item| item.parsed(scalar::mode))?;
    fields.finish()?;
    let options = [
        size.map(|size| format!("size={size}")),
        mode.map(|mode| format!("mode={mode:04o}")),
    ];
    Ok(options.into_iter().flatten().collect::<Vec<_>>().join(","))
}
