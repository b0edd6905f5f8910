//! The page that `services/web/ui` was built into.

use axum::body::Bytes;
use rust_embed::RustEmbed;

use super::File;

/// Empty where it was not built.
#[derive(RustEmbed)]
#[folder = "dist/site"]
#[allow_missing = true]
struct Site;

/// Where the build puts files whose names have a hash of what is in them.
const HASHED: &str = "assets/";
const INDEX: &str = "index.html";

/// Its files; none where it was not built.
pub(super) fn files() -> Option<Vec<File>> {
    Site::get(INDEX)?;
    let files = Site::iter().filter_map(|name| {
        let bytes = Site::get(&name)?.data;
        let path = if name == INDEX { "" } else { name.as_ref() };
        Some(File {
            path: format!("/{path}"),
            content_type: content_type(&name),
            bytes: Bytes::from(bytes.into_owned()),
            is_immutable: name.starts_with(HASHED),
        })
    });
    Some(files.collect())
}

/// By the end of its name. What is not known is nothing that a browser would run.
fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" | "webmanifest" => "application/json",
        "woff2" => "font/woff2",
        "png" => "image/png",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The policy forbids it, so that it would not work, and nobody would see why.
    #[test]
    fn it_was_built_and_has_nothing_inline_and_nothing_from_elsewhere() {
        let files = files().expect("the page was built (scripts/ui.sh)");
        let index = files.iter().find(|file| file.path == "/").unwrap();
        assert!(!index.is_immutable);
        let html = std::str::from_utf8(&index.bytes).unwrap();
        for forbidden in ["<style", "style=", "javascript:", "//"] {
            assert!(!html.contains(forbidden), "{forbidden}: {html}");
        }
        for script in html.split("<script").skip(1) {
            assert!(script.contains(" src=\"/"), "{script}");
        }
        let named = html.split('"').filter(|text| text.starts_with('/'));
        for name in named {
            assert!(files.iter().any(|file| file.path == name), "{name}");
        }
        let unknown = files
            .iter()
            .find(|file| file.content_type == "application/octet-stream");
        assert!(
            unknown.is_none_or(|file| file.path == "/"),
            "{:?}",
            unknown.map(|file| &file.path)
        );
    }
}
