//! What can be done with a page, and seen of it.

use std::time::Instant;

use serde_json::{Value, json};

use super::protocol::Refusal;
use super::{Browser, LONG, keys};

/// Time between two looks at a page.
const POLL: std::time::Duration = std::time::Duration::from_millis(50);
/// Characters of a page that a failure shows.
const SHOWN: usize = 3_000;
/// Key under which WebDriver names an element (12.1).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// The first visible element that a selector fits and that is called so: exactly, else at its begin. A dialog that is open hides
/// everything else.
const FIND: &str = r#"
    const [css, name] = arguments;
    const place = document.querySelector("dialog[open]") ?? document;
    const named = (id) => document.getElementById(id)?.textContent;
    const called = (e) =>
        (e.getAttribute("aria-label")
            ?? named(e.getAttribute("aria-labelledby"))
            ?? ([...(e.labels ?? [])].map((label) => label.textContent).join(" ") || e.textContent)
        ).replace(/\s+/g, " ").trim();
    const seen = [...place.querySelectorAll(css)].filter((e) => e.checkVisibility({ visibilityProperty: true }));
    return seen.find((e) => name === null || called(e) === name) ?? seen.find((e) => called(e).startsWith(name)) ?? null;
"#;

/// Where the keyboard is, in words: the element, and what it is called.
const FOCUSED: &str = r#"
    const e = document.activeElement;
    const label = e.getAttribute("aria-label") ?? [...(e.labels ?? [])].map((l) => l.textContent).join(" ");
    return `${e.tagName.toLowerCase()} ${label || e.textContent}`.replace(/\s+/g, " ").trim().slice(0, 80);
"#;

impl Browser {
    /// Opens an address, and waits until it is loaded. Requests to its origin are expected from now on.
    ///
    /// # Panics
    /// Where it cannot be loaded.
    pub async fn open(&self, address: &str) {
        self.expect_requests(address);
        let answer = self.session.post("url", json!({ "url": address })).await;
        self.told(&format!("{address} cannot be opened"), answer);
    }

    /// Loads the page again.
    ///
    /// # Panics
    /// Where it cannot be loaded.
    pub async fn reload(&self) {
        self.told("reload", self.session.post("refresh", json!({})).await);
    }

    /// Goes one step back in the history of the tab, and waits until that is loaded. (A script that does it may be run twice: the
    /// driver repeats what a new page interrupts.)
    ///
    /// # Panics
    /// Where the browser refuses.
    pub async fn back(&self) {
        self.told("one step back", self.session.post("back", json!({})).await);
    }

    /// The address that the browser shows.
    ///
    /// # Panics
    /// Where the browser does not answer.
    pub async fn address(&self) -> String {
        let address = self.told("the address", self.session.get("url").await);
        address.as_str().unwrap_or_default().to_owned()
    }

    /// Runs the body of a function in the page, and returns what that returns.
    ///
    /// # Panics
    /// Where it throws.
    pub async fn run(&self, script: &str, arguments: Value) -> Value {
        self.told("a script", self.try_run(script, arguments).await)
    }

    async fn try_run(&self, script: &str, arguments: Value) -> Result<Value, Refusal> {
        let body = json!({ "script": script, "args": arguments });
        self.session.post("execute/sync", body).await
    }

    /// Runs the body of a function in the page until it returns something but null, false, 0 and the empty text, and returns
    /// that. What it throws counts as null: the page may be about to be drawn.
    ///
    /// # Panics
    /// Where it does not within [`LONG`]; `what` says what was waited for.
    pub async fn wait(&self, what: &str, script: &str, arguments: Value) -> Value {
        let end = Instant::now() + LONG;
        loop {
            let answer = self.try_run(script, arguments.clone()).await;
            match &answer {
                Ok(Value::Null | Value::Bool(false)) => {}
                Ok(Value::String(text)) if text.is_empty() => {}
                Ok(number) if number.as_f64() == Some(0.0) => {}
                Ok(_) => return answer.unwrap_or_default(),
                Err(refusal) if refusal.is_passing() => {}
                Err(refusal) => panic!("{}: {what}: {refusal}", self.name),
            }
            if Instant::now() >= end {
                self.give_up(what, &format!("{answer:?}")).await;
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn give_up(&self, what: &str, last: &str) -> ! {
        let page = "return `${location.href}\n${document.body.innerText.slice(0, arguments[0])}`";
        let page = self.try_run(page, json!([SHOWN])).await;
        let page = page.map_or_else(
            |refusal| refusal.to_string(),
            |page| page.as_str().unwrap_or_default().to_owned(),
        );
        panic!(
            "{}: not within {LONG:?}: {what} (last: {last})\n{page}",
            self.name
        );
    }

    /// Waits until the page shows this text.
    ///
    /// # Panics
    /// Where it does not within [`LONG`].
    pub async fn wait_for_text(&self, text: &str) {
        self.wait_for_text_in("body", text).await;
    }

    /// Waits until an element that the selector fits shows this text, and returns all of its text.
    ///
    /// # Panics
    /// Where none does within [`LONG`].
    pub async fn wait_for_text_in(&self, css: &str, text: &str) -> String {
        let script = "return [...document.querySelectorAll(arguments[0])].map((e) => e.innerText) \
            .find((said) => said.replace(/\\s+/g, ' ').includes(arguments[1]))";
        let what = format!("“{text}” in {css}");
        let shown = self.wait(&what, script, json!([css, text])).await;
        shown.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until nothing that the selector fits shows this text.
    ///
    /// # Panics
    /// Where something still does after [`LONG`].
    pub async fn wait_for_no_text_in(&self, css: &str, text: &str) {
        let script = "return ![...document.querySelectorAll(arguments[0])].some((e) => e.innerText.includes(arguments[1]))";
        self.wait(&format!("no “{text}” in {css}"), script, json!([css, text]))
            .await;
    }

    /// Waits for a visible element that the selector fits, and that is called `name`.
    ///
    /// # Panics
    /// Where there is none within [`LONG`].
    pub async fn wait_for(&self, css: &str, name: &str) {
        self.element(css, Some(name)).await;
    }

    /// Everything that the page shows, as text.
    ///
    /// # Panics
    /// Where the browser does not answer.
    pub async fn text(&self) -> String {
        let text = self.run("return document.body.innerText", json!([])).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    async fn element(&self, css: &str, name: Option<&str>) -> String {
        let what = format!("{css} “{}”", name.unwrap_or_default());
        let found = self.wait(&what, FIND, json!([css, name])).await;
        found[ELEMENT].as_str().unwrap_or_default().to_owned()
    }

    /// Clicks on the element that the selector fits and that is called `name`, once it is there and nothing lies over it.
    ///
    /// # Panics
    /// Where it cannot be clicked within [`LONG`].
    pub async fn click(&self, css: &str, name: &str) {
        self.on_element(css, name, "click", json!({})).await;
    }

    /// Exchanges what is written in the field of this label.
    ///
    /// # Panics
    /// Where there is no such field within [`LONG`].
    pub async fn write(&self, label: &str, text: &str) {
        // As a person would: all of it is marked, and what is typed takes its place.
        let typed = format!("{}a{}{}{text}", keys::CONTROL, keys::RELEASE, keys::BACKSPACE);
        let fields = "input, textarea, select";
        self.on_element(fields, label, "value", json!({ "text": typed }))
            .await;
    }

    /// Does it with the element as soon as that is possible.
    async fn on_element(&self, css: &str, name: &str, action: &str, body: Value) {
        let end = Instant::now() + LONG;
        loop {
            let element = self.element(css, Some(name)).await;
            let path = format!("element/{element}/{action}");
            match self.session.post(&path, body.clone()).await {
                Ok(_) => return,
                // Nothing was done: the element was drawn anew, or something lies over it for the moment.
                Err(refusal) if refusal.is_passing() && Instant::now() < end => {}
                Err(refusal) => panic!("{}: {action} on {css} “{name}”: {refusal}", self.name),
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Presses keys one after the other, wherever the keyboard is: characters, or what [`keys`] has. A modifier holds until
    /// [`keys::RELEASE`] or the end.
    ///
    /// # Panics
    /// Where the browser refuses.
    pub async fn press(&self, typed: &str) {
        let key = |kind: &str, value: char| json!({ "type": kind, "value": value });
        let mut held = Vec::new();
        let mut actions = Vec::new();
        for value in typed.chars() {
            if value.to_string() == keys::RELEASE {
                actions.extend(held.drain(..).map(|value| key("keyUp", value)));
            } else if [keys::SHIFT, keys::CONTROL].contains(&value.to_string().as_str()) {
                actions.push(key("keyDown", value));
                held.push(value);
            } else {
                actions.extend([key("keyDown", value), key("keyUp", value)]);
            }
        }
        actions.extend(held.into_iter().map(|value| key("keyUp", value)));
        let keyboard = json!([{ "type": "key", "id": "keyboard", "actions": actions }]);
        let pressed = self.session.post("actions", json!({ "actions": keyboard })).await;
        self.told("keys", pressed);
    }

    /// Where the keyboard is: name of the element, then what it is called, such as `button Submit`.
    ///
    /// # Panics
    /// Where the browser does not answer.
    pub async fn focused(&self) -> String {
        let focused = self.run(FOCUSED, json!([])).await;
        focused.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the keyboard is at an element that is called so (`button Submit`).
    ///
    /// # Panics
    /// Where it does not come there within [`LONG`].
    pub async fn wait_for_focus(&self, place: &str) {
        let script = format!("const at = (() => {{ {FOCUSED} }})(); return at.startsWith(arguments[0])");
        self.wait(&format!("the keyboard at {place}"), &script, json!([place]))
            .await;
    }

    /// Presses the tab key until the keyboard is at an element that is called so (`button Submit`).
    ///
    /// # Panics
    /// Where it is not reached before the way begins anew.
    pub async fn tab_to(&self, place: &str) {
        let mut way = Vec::new();
        loop {
            self.press(keys::TAB).await;
            let focused = self.focused().await;
            if focused.starts_with(place) {
                return;
            }
            way.push(focused);
            assert!(
                way.len() < 250,
                "{}: {place} is not on the way: {way:#?}",
                self.name
            );
        }
    }

    /// The tab that the test sees.
    ///
    /// # Panics
    /// Where the browser does not answer.
    pub async fn tab(&self) -> String {
        let tab = self.told("the tab", self.session.get("window").await);
        tab.as_str().unwrap_or_default().to_owned()
    }

    /// Opens another tab, empty, and goes to it. Its session storage is its own.
    ///
    /// # Panics
    /// Where the browser refuses.
    pub async fn new_tab(&self) -> String {
        let made = self.session.post("window/new", json!({ "type": "tab" })).await;
        let tab = self.told("a tab", made)["handle"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        self.go_to_tab(&tab).await;
        self.set_size(super::SIZE).await;
        tab
    }

    /// Goes to a tab.
    ///
    /// # Panics
    /// Where there is none such.
    pub async fn go_to_tab(&self, tab: &str) {
        self.told(
            "a tab",
            self.session.post("window", json!({ "handle": tab })).await,
        );
    }

    /// Goes into the frame of this number within the page; none leads back to the page.
    ///
    /// # Panics
    /// Where there is none such.
    pub async fn go_to_frame(&self, frame: Option<u32>) {
        self.told(
            "a frame",
            self.session.post("frame", json!({ "id": frame })).await,
        );
    }
}
