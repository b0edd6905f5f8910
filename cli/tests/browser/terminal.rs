//! The terminal in the page: `odd watch`, with the keyboard of whoever looks at the page.

use odd_testkit::browser::keys::{CONTROL, ENTER, ESCAPE, F6, RELEASE};
use odd_testkit::{Browser, Instance};
use serde_json::json;

use crate::bed::{self, BUTTON, LINK, open, page, short, submit, up};

const CONNECTION: &str = "[role=status][aria-label=Connection]";
const NOTICE: &str = "[role=status][aria-label=Notice]";
/// What the screen of the keys says, and no other.
const HELP: &str = "Everywhere";
/// The rows of the screen, as the terminal tells them to those who hear it.
const ROWS: &str = "[...document.querySelectorAll('.xterm-accessibility-tree [role=listitem]')]
    .map((row) => row.textContent.replace(/\\u00a0/g, ' ').trimEnd()).join('\\n')";

/// Opens the terminal of an instance in a tab where it tells its rows as text.
async fn open_terminal(browser: &Browser, odd: &Instance) {
    told_as_text(browser, odd).await;
    browser.open(&page(odd, "#/terminal")).await;
    browser.wait_for_text_in(CONNECTION, "● connected").await;
    wait_for_screen(browser, "healthy").await;
}

/// From the next page on, what the terminal shows is text.
async fn told_as_text(browser: &Browser, odd: &Instance) {
    open(browser, odd, "").await;
    let script = "localStorage.setItem('odd.terminal.reader', 'on')";
    browser.run(script, json!([])).await;
}

/// Waits until the screen shows this text, and returns the screen.
async fn wait_for_screen(browser: &Browser, text: &str) -> String {
    let script = format!("const rows = {ROWS}; return rows.includes(arguments[0]) ? rows : null");
    let shown = browser
        .wait(&format!("“{text}” on the screen"), &script, json!([text]))
        .await;
    shown.as_str().unwrap_or_default().to_owned()
}

async fn wait_for_screen_without(browser: &Browser, text: &str) {
    let script = format!("const rows = {ROWS}; return rows !== '' && !rows.includes(arguments[0])");
    browser
        .wait(&format!("no “{text}” on the screen"), &script, json!([text]))
        .await;
}

/// Waits until keys go to the program.
async fn wait_for_keyboard(browser: &Browser) {
    browser.wait_for_focus("textarea Terminal input").await;
}

#[tokio::test]
async fn the_terminal_shows_the_dashboard_and_takes_keys() {
    bed::with("the_terminal_shows", &[], async |browser, odd| {
        let id = submit(odd, &["hello", "--wait"]);
        told_as_text(browser, odd).await;
        browser.reload().await;
        browser.click(LINK, "Terminal").await;
        browser.wait_for_text_in(CONNECTION, "● connected").await;
        wait_for_screen(browser, short(&id)).await;
        wait_for_keyboard(browser).await;
        browser.press("?").await;
        wait_for_screen(browser, HELP).await;
        browser.press(ESCAPE).await;
        wait_for_screen_without(browser, HELP).await;
        browser.press(ENTER).await;
        let screen = wait_for_screen(browser, "queue wait").await;
        assert!(
            screen.contains(short(&id)) && screen.contains("COMPLETED"),
            "{screen}"
        );

        // Another size of the window is another size of the screen.
        let columns = screen.lines().map(|row| row.chars().count()).max();
        browser.set_size((700, 600)).await;
        let narrower = format!(
            "const rows = ({ROWS}).split('\\n'); const most = Math.max(...rows.map((row) => [...row].length));
             return rows.length > 5 && most < arguments[0] && rows.some((row) => row.includes('COMPLETED'))"
        );
        browser
            .wait("a narrower screen", &narrower, json!([columns]))
            .await;

        // Nobody is caught in it.
        browser.press(F6).await;
        browser.wait_for_focus("button Screen reader").await;
    })
    .await;
}

#[tokio::test]
async fn a_session_survives_a_reload_and_a_new_one_follows_a_restart() {
    bed::with("a_session_survives", &[], async |browser, odd| {
        open_terminal(browser, odd).await;
        wait_for_keyboard(browser).await;
        browser.press("?").await;
        wait_for_screen(browser, HELP).await;
        for _ in 0..3 {
            browser.reload().await;
            browser.wait_for_text_in(CONNECTION, "● connected").await;
            // A new session would begin with the dashboard.
            wait_for_screen(browser, HELP).await;
        }
        wait_for_keyboard(browser).await;
        browser.press(ESCAPE).await;
        wait_for_screen_without(browser, HELP).await;
        browser.press("?").await;
        wait_for_screen(browser, HELP).await;

        // A lost connection alone is taken up again with the session.
        browser.expect_outage();
        browser.expect_message("the server responded with a status of 4");
        odd.kill().expect("it ran");
        browser.wait_for_text_in(CONNECTION, "not connected").await;
        up(odd, &[]);
        browser.wait_for_text_in(CONNECTION, "● connected").await;
        wait_for_screen_without(browser, HELP).await;
        wait_for_screen(browser, "healthy").await;
        wait_for_keyboard(browser).await;
        browser.press("?").await;
        wait_for_screen(browser, HELP).await;
    })
    .await;
}

#[tokio::test]
async fn a_session_that_was_left_by_its_key_ends_and_another_is_offered() {
    bed::with("a_session_that_was_left", &[], async |browser, odd| {
        open_terminal(browser, odd).await;
        wait_for_keyboard(browser).await;
        browser.press("Q").await;
        browser.wait_for_text("The session has ended").await;
        browser.wait_for_text_in(CONNECTION, "✓ ended").await;
        browser.click(BUTTON, "New session").await;
        browser.wait_for_text_in(CONNECTION, "● connected").await;
        wait_for_screen(browser, "healthy").await;
    })
    .await;
}

#[tokio::test]
async fn a_second_tab_takes_a_session_over_and_the_first_begins_another() {
    bed::with("a_second_tab", &[], async |browser, odd| {
        open_terminal(browser, odd).await;
        wait_for_keyboard(browser).await;
        browser.press("?").await;
        wait_for_screen(browser, HELP).await;
        let first = browser.tab().await;
        // A tab that is duplicated has the storage of the other, and with it the key of the session.
        let key = browser
            .run("return sessionStorage.getItem('odd.terminal.session')", json!([]))
            .await;
        let second = browser.new_tab().await;
        open(browser, odd, "").await;
        let copied = "sessionStorage.setItem('odd.terminal.session', arguments[0])";
        browser.run(copied, json!([key])).await;
        browser.open(&page(odd, "#/terminal")).await;
        browser.wait_for_text_in(CONNECTION, "● connected").await;
        wait_for_screen(browser, HELP).await;

        browser.go_to_tab(&first).await;
        browser.wait_for_text_in(CONNECTION, "⊘ goes on elsewhere").await;
        browser.wait_for_text("The session goes on elsewhere").await;
        browser.click(BUTTON, "New session").await;
        browser.wait_for_text_in(CONNECTION, "● connected").await;
        wait_for_screen(browser, "healthy").await;
        browser.go_to_tab(&second).await;
        browser.wait_for_text_in(CONNECTION, "● connected").await;
        wait_for_screen(browser, HELP).await;
    })
    .await;
}

#[tokio::test]
async fn a_terminal_for_looking_only_says_so_and_changes_nothing() {
    bed::with(
        "for_looking_only",
        &[("ODD_WEB_TERMINAL", "read-only")],
        async |browser, odd| {
            open_terminal(browser, odd).await;
            browser
                .wait_for_text_in(CONNECTION, "● connected · for looking only")
                .await;
            wait_for_keyboard(browser).await;
            browser.press(&format!("{CONTROL}e{RELEASE}")).await;
            browser.wait_for_text_in(NOTICE, "look").await;
            // The key of the form is none here; one for looking still works behind it.
            browser.press("N?").await;
            let screen = wait_for_screen(browser, HELP).await;
            assert!(!screen.contains("new task"), "{screen}");
            browser.press(ESCAPE).await;
            wait_for_screen_without(browser, HELP).await;
        },
    )
    .await;
}

#[tokio::test]
async fn where_there_is_no_terminal_the_page_says_why_and_shows_the_figures() {
    bed::with(
        "no_terminal",
        &[("ODD_WEB_TERMINAL", "off")],
        async |browser, odd| {
            submit(odd, &["hello", "--wait"]);
            browser.expect_message("the server responded with a status of 404");
            open(browser, odd, "#/terminal").await;
            browser.wait_for_text_in(CONNECTION, "✗ no terminal here").await;
            browser.wait_for_text("No terminal here").await;
            browser.wait_for_text("web terminal is switched off").await;
            browser.wait_for_text("odd watch").await;
            browser.wait_for_text_in(".tile", "✓ completed 1").await;
            for region in ["Jobs in figures", "Roles and stores", "Queues", "Alerts"] {
                browser.wait_for("section", region).await;
            }
            // Switched on meanwhile, it is there without a reload.
            browser.expect_outage();
            let _ = odd.run(["down"]).expect_code(0);
            up(odd, &[]);
            browser.wait_for_text_in("header", "healthy").await;
            browser.click(BUTTON, "Try again").await;
            browser.wait_for_text_in(CONNECTION, "● connected").await;
        },
    )
    .await;
}
