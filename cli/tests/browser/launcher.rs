//! The file that tells whether an instance runs, opened from disk.

use std::path::Path;

use odd_contracts::Role;
use odd_testkit::browser;

use crate::bed::{BUTTON, instance, up};
use crate::files::Elsewhere;

const STATE: &str = "#state";

fn address(offset: u16) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../services/web/ui/launcher/launcher.html");
    let file = file.canonicalize().expect("the file is there");
    format!("file://{}?offset={offset}", file.display())
}

#[tokio::test]
async fn it_waits_for_an_instance_and_goes_to_its_dashboard() {
    let odd = instance();
    browser::drive("it_waits_for_an_instance", async |browser| {
        browser.expect_requests(&odd.url(Role::Web));
        // Until the instance is up, nothing answers.
        browser.expect_outage();
        browser.open(&address(odd.offset())).await;
        browser.wait_for_text_in(STATE, "It does not run.").await;
        let start = format!("odd up --port-offset {}", odd.offset());
        browser.wait_for_text_in("#up", &start).await;
        up(&odd, &[]);
        // It says so for a moment, and is gone.
        browser.wait_for_text_in("header", "healthy").await;
        assert_eq!(browser.address().await, format!("{}/", odd.url(Role::Web)));
        // Who comes back is not sent away once more.
        browser.back().await;
        browser.wait_for_text_in(STATE, "It runs.").await;
        browser.click("a[href]", "Terminal").await;
        browser
            .wait_for_text_in("[role=status][aria-label=Connection]", "● connected")
            .await;
    })
    .await;
}

#[tokio::test]
async fn it_tells_something_else_at_the_port_from_an_instance() {
    let odd = instance();
    browser::drive("it_tells_something_else", async |browser| {
        let _elsewhere = Elsewhere::at(odd.port(Role::Web)).await;
        browser.expect_requests(&odd.url(Role::Web));
        browser.open(&address(odd.offset())).await;
        browser
            .wait_for_text_in(STATE, "Something else has the port.")
            .await;
        browser.wait_for(BUTTON, "Look now").await;
    })
    .await;
}
