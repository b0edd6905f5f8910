//! Commands with real processes.

use super::*;
use crate::bed;

/// Longest time that anything here may take.
const LIMIT: Duration = Duration::from_secs(20);

struct Shell {
    running: Option<Running>,
    children: JoinSet<()>,
    messages: mpsc::Receiver<Message>,
}

impl Shell {
    /// Runs a script in place of `odd`.
    fn run(script: &str) -> Self {
        Self::run_with(script, PATIENCE)
    }

    fn run_with(script: &str, patience: Duration) -> Self {
        let options = Options {
            program: "env".into(),
            ..bed::options()
        };
        let (sender, messages) = mpsc::channel(4);
        let mut children = JoinSet::new();
        let outlet = Outlet {
            patience,
            run: 7,
            name: "script",
            to: 1,
            sender,
        };
        // A shell cannot trap what was ignored when it began, as in whatever runs in the background of another shell.
        let run = Run::new("script", &["--default-signal=INT", "sh", "-c", script]);
        let running = start_with(&options, &run, outlet, &mut children);
        Self {
            running: Some(running),
            children,
            messages,
        }
    }

    async fn next(&mut self) -> Reply {
        let message = timeout(LIMIT, self.messages.recv()).await.unwrap().unwrap();
        let Message::OfRun(7, 1, reply) = message else {
            panic!("{message:?} is of another run")
        };
        reply
    }

    /// The next line.
    async fn line(&mut self) -> String {
        match self.next().await {
            Reply::Printed("script", lines) => {
                assert_eq!(lines.len(), 1, "{lines:?}");
                lines[0].text.clone()
            }
            other => panic!("{other:?} is no line"),
        }
    }

    /// Every line until the end, and how it ended.
    async fn rest(&mut self) -> (Vec<Printed>, Result<i32, String>) {
        let mut all = Vec::new();
        loop {
            match self.next().await {
                Reply::Printed("script", lines) => all.extend(lines),
                Reply::Ended("script", ended) => return (all, ended),
                other => panic!("{other:?} is of no run"),
            }
        }
    }
}

fn is_alive(pid: &str) -> bool {
    let pid = nix::unistd::Pid::from_raw(pid.parse().unwrap());
    nix::sys::signal::kill(pid, None).is_ok()
}

#[tokio::test]
async fn both_outputs_and_the_exit_code_are_told() {
    let mut shell = Shell::run("echo one; echo two >&2; exit 3");
    let (lines, ended) = shell.rest().await;
    let mut told: Vec<_> = lines.iter().map(|l| (l.to_stderr, l.text.as_str())).collect();
    told.sort_unstable();
    assert_eq!(told, [(false, "one"), (true, "two")]);
    assert_eq!(ended, Ok(3));
}

#[tokio::test]
async fn a_program_that_is_not_there_is_said() {
    let options = Options {
        program: "/nowhere/odd".into(),
        ..bed::options()
    };
    let (sender, mut messages) = mpsc::channel(4);
    let mut children = JoinSet::new();
    let run = Run::new("script", &[]);
    let _running = start(&options, &run, (7, 1), sender, &mut children);
    let Some(Message::OfRun(_, _, Reply::Ended(_, Err(why)))) = messages.recv().await else {
        panic!("how it ended is not told")
    };
    assert!(why.starts_with("odd cannot be run: "), "{why}");
}

#[tokio::test]
async fn an_interrupted_command_puts_things_in_order_first() {
    let mut shell = Shell::run(
        "trap 'echo interrupted; sleep 0.3; echo tidy; exit 130' INT; echo ready; while :; do sleep 0.05; done",
    );
    assert_eq!(shell.line().await, "ready");
    shell.running.as_mut().unwrap().interrupt();
    let (lines, ended) = shell.rest().await;
    let told: Vec<_> = lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!((told, ended), (vec!["interrupted", "tidy"], Ok(130)));
}

#[tokio::test]
async fn a_command_whose_screen_is_closed_ends_and_nothing_of_it_is_left() {
    let mut shell = Shell::run("echo $$; trap 'exit 130' INT; while :; do sleep 0.05; done");
    let pid = shell.line().await;
    assert!(is_alive(&pid));
    drop(shell.running.take());
    timeout(LIMIT, shell.children.join_next()).await.unwrap();
    assert!(!is_alive(&pid), "a process that was waited for is no zombie");
}

#[tokio::test]
async fn one_that_does_not_listen_is_killed_when_patience_ends() {
    let mut shell = Shell::run_with(
        "trap '' INT; echo $$; while :; do sleep 0.05; done",
        Duration::from_millis(200),
    );
    let pid = shell.line().await;
    shell.running.as_mut().unwrap().interrupt();
    let (_, ended) = shell.rest().await;
    assert_eq!(ended, Ok(-1), "ended by a signal");
    assert!(!is_alive(&pid));
}

#[tokio::test]
async fn what_a_command_leaves_behind_does_not_hold_it_up() {
    let mut shell = Shell::run("echo $$; sleep 600 & echo $!; exit 0");
    let (lines, ended) = shell.rest().await;
    assert_eq!(ended, Ok(0));
    let left = nix::unistd::Pid::from_raw(lines[1].text.parse().unwrap());
    nix::sys::signal::kill(left, nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[tokio::test]
async fn who_prints_without_end_waits_until_it_is_read() {
    let mut shell = Shell::run("echo $$; trap 'exit 130' INT; while :; do echo xxxxxxxxxxxxxxxxxxxx; done");
    let pid = match shell.next().await {
        Reply::Printed(_, lines) => lines[0].text.clone(),
        other => panic!("{other:?} is no line"),
    };
    for _ in 0..20 {
        match shell.next().await {
            Reply::Printed(_, lines) => assert!(lines.len() <= TOGETHER),
            other => panic!("{other:?} is no line"),
        }
    }
    // Nobody reads any more, as when the dashboard ends: it is read to its end all the same.
    shell.messages.close();
    drop(shell.running.take());
    while timeout(LIMIT, shell.messages.recv()).await.unwrap().is_some() {}
    timeout(LIMIT, shell.children.join_next()).await.unwrap();
    assert!(!is_alive(&pid));
}
