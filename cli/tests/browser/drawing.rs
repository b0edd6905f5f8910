//! The picture of the dashboard in the documents.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use odd_testkit::Browser;
use serde_json::json;

use crate::bed::{on_dashboard, open};

/// What somebody hears who does not see it.
const TITLE: &str =
    "The dashboard in the browser: counters, throughput, latency, jobs, alerts, queues and roles";
/// Set to 1, the picture is drawn anew.
const UPDATE: &str = "ODD_UPDATE_PICTURES";
const SIZE: (u32, u32) = (1_200, 1_010);
/// With room for whatever the picture has room for.
const TALL: (u32, u32) = (1_200, 2_400);

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pictures/web.svg")
}

async fn drawn(browser: &Browser) -> String {
    let drawn = browser.run(include_str!("drawing.js"), json!([TITLE])).await;
    drawn.as_str().expect("a picture").to_owned()
}

/// Texts of a picture, without those that differ from run to run: they have figures in them.
fn texts(picture: &str) -> BTreeSet<&str> {
    let lines = picture.lines().filter(|line| line.starts_with("<text "));
    lines
        .filter_map(|line| line.split_once('>')?.1.strip_suffix("</text>"))
        .filter(|text| !text.contains(|c: char| c.is_ascii_digit()))
        .collect()
}

#[tokio::test]
async fn the_picture_in_the_documents_is_of_the_page() {
    on_dashboard("the_picture", async |browser, odd| {
        let update = std::env::var(UPDATE).is_ok_and(|update| update == "1");
        let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/scenarios/first-steps.ndjson");
        let scenario = scenario.to_str().expect("it is a text");
        browser.set_scheme("dark").await;
        browser.set_size(if update { SIZE } else { TALL }).await;
        open(browser, odd, "").await;
        if update {
            // Charts are drawn of what the page saw.
            let _ = odd.run(["bench", "--jobs", "2000", "--rate", "40"]).expect_code(0);
        }
        let _ = odd
            .run(["submit", "--file", scenario, "--wait"])
            .expect_code(0);
        for text in ["FAILED", "webhook", "report"] {
            browser.wait_for_text_in("main table", text).await;
        }
        browser.wait_for_no_text_in("main table", "EXECUTING").await;
        let picture = drawn(browser).await;
        if update {
            std::fs::write(kept(), picture).expect("the picture can be kept");
            return;
        }
        let kept = std::fs::read_to_string(kept()).expect("the picture is there");
        let (kept, now) = (texts(&kept), texts(&picture));
        assert!(kept.len() > 30, "{kept:?}");
        let gone: Vec<_> = kept.difference(&now).collect();
        assert!(
            gone.is_empty(),
            "docs/pictures/web.svg shows what the page does not: {gone:?}. To draw it anew, then look at it:\n    \
             {UPDATE}=1 cargo test -p odd --features odd/failpoints --test browser -- the_picture"
        );
    })
    .await;
}
