use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;
use crate::wait_until;

const PAGE: &str = "data:text/html,<title>A page</title><body>
    <label>Name <input></label> <button>Say it</button> <p id=said>nothing</p>
    <script>document.querySelector('button').onclick = () => {
        document.querySelector('p').textContent = `said ${document.querySelector('input').value}`;
    }</script>";
/// Makes the test below a process that leaves its browser open.
const STAYS: &str = "ODD_TEST_BROWSER_STAYS";

fn is_left(folder: &Path) -> bool {
    !process::users(folder).is_empty()
}

#[tokio::test]
async fn a_page_is_seen_and_used() {
    let folder = drive("testkit-used", async |browser| {
        browser.open(PAGE).await;
        browser.write("Name", "something").await;
        browser.click("button", "Say it").await;
        browser.wait_for_text_in("#said", "said something").await;
        browser.write("Name", "else").await;
        browser.tab_to("button Say it").await;
        browser.press(keys::ENTER).await;
        browser.wait_for_text("said else").await;
        browser.set_size((390, 844)).await;
        let size = browser.run("return [innerWidth, innerHeight]", json!([])).await;
        assert_eq!(size, json!([390, 844]));
        let first = browser.tab().await;
        browser.new_tab().await;
        browser.open("about:blank").await;
        assert_eq!(browser.text().await, "");
        browser.go_to_tab(&first).await;
        browser.wait_for_text("said else").await;
        assert!(is_left(&browser.folder()), "its processes are told by its folder");
        browser.folder()
    })
    .await;
    assert!(!is_left(&folder) && !folder.exists(), "nothing of it is left");
}

#[tokio::test]
#[should_panic(expected = "the console has")]
async fn an_error_in_the_console_fails_a_test() {
    drive("testkit-error", async |browser| {
        browser.open("data:text/html,<script>nowhere()</script>").await;
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "requests went to")]
async fn a_request_that_goes_elsewhere_fails_a_test() {
    drive("testkit-elsewhere", async |browser| {
        browser.expect_outage();
        browser.expect_message("ERR_NAME_NOT_RESOLVED");
        browser
            .open("data:text/html,<img src='http://elsewhere.example/x'>")
            .await;
    })
    .await;
}

#[tokio::test]
async fn a_picture_from_afar_tells_pages_apart() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept.png");
    let page = |colour: &str, side: &str, said: &str| {
        format!(
            "data:text/html,<body style='margin:0;background:{colour}'><p>{said}</p>\
             <div style='position:absolute;{side}:0;width:50%25;height:100%25;background:teal'></div>"
        )
    };
    drive("testkit-picture", async |browser| {
        browser.open(&page("white", "right", "one")).await;
        let shown = picture::keep(&browser.session, "testkit-kept").await.unwrap();
        std::fs::rename(shown, &kept).unwrap();
        browser.assert_looks_like(&kept).await;
        browser.open(&page("white", "right", "another")).await;
        browser.assert_looks_like(&kept).await;
    })
    .await;
    for (colour, side) in [("black", "right"), ("white", "left")] {
        let other = page(colour, side, "one");
        let kept = kept.clone();
        let told = tokio::spawn(async move {
            let browser = Browser::start("testkit-picture").await;
            browser.open(&other).await;
            browser.assert_looks_like(&kept).await;
        });
        let panic = told.await.unwrap_err().into_panic();
        let said = panic.downcast_ref::<String>().unwrap();
        assert!(said.contains("of the page look unlike"), "{said}");
    }
}

/// However a test ends: by a panic within it, or because its process is killed.
#[tokio::test]
async fn nothing_is_left_of_a_browser_whose_test_fails_or_is_killed() {
    if std::env::var_os(STAYS).is_some() {
        let browser = Browser::start("testkit-stays").await;
        println!("folder {}", browser.folder().display());
        std::future::pending::<()>().await;
    }
    let (sender, receiver) = std::sync::mpsc::channel();
    let failed = tokio::spawn(async move {
        let browser = Browser::start("testkit-fails").await;
        sender.send(browser.folder()).unwrap();
        panic!("on purpose");
    });
    assert!(failed.await.is_err());
    let folder = receiver.recv().unwrap();
    assert!(!is_left(&folder) && !folder.exists());

    let name = "browser::tests::nothing_is_left_of_a_browser_whose_test_fails_or_is_killed";
    let mut test = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(STAYS, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(test.stdout.take().unwrap()).lines();
    let folder = lines
        .map_while(Result::ok)
        .find_map(|line| Some(PathBuf::from(line.split_once("folder ")?.1)))
        .unwrap();
    assert!(is_left(&folder));
    test.kill().unwrap();
    test.wait().unwrap();
    wait_until(LONG, "the end of the browser of a killed test", || {
        (!is_left(&folder)).then_some(())
    });
    std::fs::remove_dir_all(&folder).unwrap();
}
