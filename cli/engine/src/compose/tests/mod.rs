//! Whole compose files: the real ones, and small ones that break one rule each.

mod project;
mod random;
mod real;
mod refused;
mod service;

use super::*;

fn options() -> LoadOptions {
    LoadOptions {
        project: "odd-test".to_owned(),
        ..LoadOptions::default()
    }
}

fn one(service: &str) -> Result<Service, ComposeError> {
    let indented: String = service.lines().map(|line| format!("    {line}\n")).collect();
    let text = format!(
        "services:\n  a:\n{indented}volumes: {{v: , w: }}\nnetworks: {{n: }}\nconfigs: {{c: {{content: hello}}}}\n"
    );
    Ok(load_text(&text, &options())?.services.remove("a").unwrap())
}

fn error(text: &str) -> ComposeError {
    load_text(text, &options()).unwrap_err()
}
