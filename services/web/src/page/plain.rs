//! A page that needs no build: live figures, and how to have the whole.

use axum::body::Bytes;

use super::File;

/// Each file: where it is, what it is, and what is in it.
const FILES: [(&str, &str, &[u8]); 4] = [
    (
        "/",
        "text/html; charset=utf-8",
        include_bytes!("../../page/index.html"),
    ),
    (
        "/assets/page.css",
        "text/css; charset=utf-8",
        include_bytes!("../../page/page.css"),
    ),
    (
        "/assets/page.js",
        "text/javascript; charset=utf-8",
        include_bytes!("../../page/page.js"),
    ),
    (
        "/assets/icon.svg",
        "image/svg+xml",
        include_bytes!("../../page/icon.svg"),
    ),
];

/// Its files.
pub(super) fn files() -> Vec<File> {
    FILES
        .iter()
        .map(|(path, content_type, bytes)| File {
            path: (*path).to_owned(),
            content_type,
            bytes: Bytes::from_static(bytes),
            is_immutable: false,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str) -> &'static str {
        let found = FILES.iter().find(|(path, ..)| *path == name);
        std::str::from_utf8(found.unwrap().2).unwrap()
    }

    /// The policy forbids it, so that it would not work, and nobody would see why.
    #[test]
    fn the_page_has_nothing_inline_and_nothing_from_elsewhere() {
        let html = text("/");
        for forbidden in ["<style", "style=", "javascript:", "//"] {
            assert!(!html.contains(forbidden), "{forbidden}");
        }
        let handler = html
            .split_whitespace()
            .find(|word| word.starts_with("on") && word.contains('='));
        assert_eq!(handler, None);
        for script in html.split("<script").skip(1) {
            assert!(script.starts_with(" src=\"/assets/"), "{script}");
        }
        for name in ["/assets/page.css", "/assets/page.js"] {
            assert!(
                !text(name).contains("@import") && !text(name).contains("url("),
                "{name}"
            );
        }
    }

    /// What others call their jobs must never become part of the page.
    #[test]
    fn the_script_writes_text_only() {
        let script = text("/assets/page.js");
        for forbidden in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "Function(",
        ] {
            assert!(!script.contains(forbidden), "{forbidden}");
        }
    }

    #[test]
    fn every_part_that_the_page_names_is_there() {
        let html = text("/");
        let named = html.split('"').filter(|text| text.starts_with("/assets/"));
        let mut seen = 0;
        for name in named {
            assert!(FILES.iter().any(|(path, ..)| *path == name), "{name}");
            seen += 1;
        }
        assert_eq!(seen, 3);
    }
}
