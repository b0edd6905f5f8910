//! Settings and where they come from.

use odd_testkit::Instance;

use crate::instance;

#[test]
fn each_setting_tells_its_origin() {
    let odd = instance();
    std::fs::write(
        odd.home().join("config.toml"),
        "output = 'text'\ninstance = 'of-user'\n",
    )
    .unwrap();
    let project = odd.home().join("project/deep");
    std::fs::create_dir_all(&project).unwrap();
    std::fs::write(odd.home().join("project/odd.toml"), "instance = 'of-project'\n").unwrap();
    let mut command = odd.command([
        "config",
        "show",
        "--origin",
        "--gateway-url",
        "http://127.0.0.1:9",
    ]);
    let text = Instance::output(command.current_dir(&project))
        .expect_code(0)
        .stdout;
    let origin = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    };
    assert!(
        origin("instance").starts_with("of-project project file"),
        "{text}"
    );
    assert!(origin("output").starts_with("text user file"), "{text}");
    assert_eq!(
        origin("port-offset"),
        format!("{} environment ODD_PORT_OFFSET", odd.offset())
    );
    assert_eq!(origin("gateway-url"), "http://127.0.0.1:9 flag --gateway-url");
    assert!(origin("read-model-url").ends_with("default"), "{text}");
    assert_eq!(origin("engine"), "embedded environment ODD_ENGINE");
}

#[test]
fn settings_that_make_no_sense_are_all_named() {
    let odd = instance();
    let mut command = odd.command(["status"]);
    command.env("ODD_PORT_OFFSET", "many").env("ODD_INSTANCE", "Über");
    let output = Instance::output(&mut command).expect_code(2);
    insta::assert_snapshot!(output.stderr, @r#"
    error: failed to read the settings
      because: environment ODD_INSTANCE: "Über" is no instance name: it is 1 to 32 characters of a-z, 0-9 and '-', with a letter or digit at both ends
               environment ODD_PORT_OFFSET: "many" is no number from 0 to 50000
      try: odd --help
    "#);
}

#[test]
fn a_settings_file_that_is_wrong_is_shown_where() {
    let odd = instance();
    std::fs::write(odd.home().join("config.toml"), "instanse = 'x'\n").unwrap();
    let output = odd.run(["status"]).expect_code(2);
    assert!(
        output.stderr.contains("config.toml") && output.stderr.contains("instanse"),
        "{output:?}"
    );
}

#[cfg(unix)]
#[test]
fn what_is_no_text_is_refused_and_not_passed_over() {
    use std::os::unix::ffi::OsStrExt;
    let odd = instance();
    for name in ["ODD_INSTANCE", "ODD_PORT_OFFSET", "ODD_OUTPUT", "ODD_HOME"] {
        let value = std::ffi::OsStr::from_bytes(b"\xff");
        let output = Instance::output(odd.command(["status"]).env(name, value)).expect_code(2);
        assert!(
            output.stderr.contains(&format!("environment {name}")),
            "{}",
            output.stderr
        );
    }
}
