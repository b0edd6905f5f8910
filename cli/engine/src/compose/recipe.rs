//! References of the offline images: the tag of each is the hash of its recipe, so that an image of an older recipe is never taken.
//!
//! `scripts/images.sh` builds and names them; the testkit computes the same names. A test holds this to the script.

use std::io;

use sha2::{Digest, Sha256};

use super::ComposeError;
use super::files::Files;
use super::model::hex;

/// What the names of all of them begin with.
pub(crate) const PREFIX: &str = "odd-offline/";
/// Folder of the recipes.
pub(crate) const FOLDER: &str = "images";
/// Name of the image that the others are built from.
pub(crate) const BASE: &str = "base";
/// Hexadecimal digits of a tag.
const DIGITS: usize = 12;

/// The name of a recipe in `odd-offline/NAME:latest`, which is how the compose files refer to it.
pub(crate) fn name_of(image: &str) -> Option<&str> {
    image
        .strip_prefix(PREFIX)?
        .strip_suffix(":latest")
        .filter(|name| !name.is_empty())
}

/// Where the recipes are: beside the compose files or, for compose files of somebody's own that have none, in this binary.
pub(crate) fn home(files: &Files) -> &Files {
    match files {
        Files::Directory(top) if !top.join(FOLDER).is_dir() => &Files::Embedded,
        files => files,
    }
}

/// The reference of the image that the recipe makes now.
pub(crate) fn reference(files: &Files, name: &str) -> Result<String, ComposeError> {
    let files = home(files);
    let mut hash = Sha256::new();
    let folders = if name == BASE {
        vec![BASE]
    } else {
        vec![BASE, name]
    };
    for folder in folders {
        let paths = files.below(&format!("{FOLDER}/{folder}"))?;
        if paths.is_empty() {
            return Err(ComposeError::Unreadable {
                file: files.label(&format!("{FOLDER}/{folder}")),
                source: io::Error::new(io::ErrorKind::NotFound, "there is no such recipe"),
            });
        }
        for path in paths {
            hash.update(&path.as_bytes()[FOLDER.len() + 1..]);
            hash.update(b"\n");
            hash.update(files.read(&path)?);
        }
    }
    let mut digest = hex(&hash.finalize());
    digest.truncate(DIGITS);
    Ok(format!("{PREFIX}{name}:{digest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_of_a_recipe_stands_for_its_hash() {
        assert_eq!(name_of("odd-offline/redis:latest"), Some("redis"));
        for other in [
            "odd-offline/redis:abc",
            "redis:latest",
            "odd-offline/:latest",
            "odd-offline/redis",
        ] {
            assert_eq!(name_of(other), None, "{other}");
        }
    }

    // Images are built on Linux; where there is a bash, the script makes the same names.
    #[cfg(unix)]
    #[test]
    fn references_are_those_of_the_script() {
        let checkout = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let output = std::process::Command::new("bash")
            .args([
                "scripts/images.sh",
                "--list",
                "base",
                "postgres",
                "rabbitmq",
                "redis",
                "mongo",
                "prometheus",
                "alertmanager",
            ])
            .current_dir(&checkout)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<(&str, &str)> = text
            .lines()
            .map(|line| {
                let mut words = line.split(' ');
                (words.next().unwrap(), words.next().unwrap())
            })
            .collect();
        assert_eq!(
            lines.len(),
            7,
            "{text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        for (name, expected) in lines {
            assert_eq!(reference(&Files::Embedded, name).unwrap(), expected);
            assert_eq!(
                reference(&Files::Directory(checkout.join("compose")), name).unwrap(),
                expected
            );
        }
    }
}
