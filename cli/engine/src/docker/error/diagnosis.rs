//! What is probably the matter with a container that ended or is not well.

use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::LogsOptionsBuilder;
use futures::StreamExt;

use super::Trouble;
use crate::embedded;

/// Lines of a log that explain an end.
const TAIL: usize = 20;
/// Time that the engine has to hand out the end of a log.
const PATIENCE: Duration = Duration::from_secs(3);
/// Characters of a line that are shown.
const LONGEST_LINE: usize = 400;

/// How a container ended, as far as it did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::docker) struct End {
    /// Its exit code.
    pub(in crate::docker) exit_code: Option<i64>,
    /// Whether it was ended for want of memory.
    pub(in crate::docker) out_of_memory: bool,
    /// What the engine said, where it could not be started.
    pub(in crate::docker) error: Option<String>,
}

/// Puts together what is known of a container that is not well.
pub(in crate::docker) async fn trouble(
    client: &Docker,
    service: &str,
    container: &str,
    reason: String,
    end: &End,
) -> Trouble {
    let log = tail(client, container, TAIL).await;
    Trouble {
        service: service.to_owned(),
        container: container.to_owned(),
        reason,
        likely_cause: likely_cause(end, &log),
        log,
    }
}

/// The last lines of a container's output, in the order in which they were written; fewer where the engine is slow.
pub(in crate::docker) async fn tail(client: &Docker, container: &str, lines: usize) -> Vec<String> {
    let options = LogsOptionsBuilder::new()
        .stdout(true)
        .stderr(true)
        .tail(&lines.to_string())
        .build();
    let mut output = Vec::new();
    let reading = async {
        let mut stream = std::pin::pin!(client.logs(container, Some(options)));
        while let Some(Ok(piece)) = stream.next().await {
            output.extend_from_slice(&piece.into_bytes());
        }
    };
    // What was read in time is what can be shown.
    let _ = tokio::time::timeout(PATIENCE, reading).await;
    let text = String::from_utf8_lossy(&output);
    let shown = text
        .lines()
        .map(|line| line.trim_end().chars().take(LONGEST_LINE).collect::<String>());
    let found: Vec<String> = shown.filter(|line| !line.is_empty()).collect();
    found[found.len().saturating_sub(lines)..].to_vec()
}

/// What programs write, in lower case, and what it means.
const SIGNS: &[(&[&str], &str)] = &[
    (&["no space left on device"], "the disk is full"),
    (
        &["exec format error"],
        "the image is made for another processor architecture than this machine has",
    ),
    (
        &[
            "password authentication failed",
            "access_refused",
            "authentication failed",
            "wrongpass",
            "auth failed",
        ],
        "wrong password: the volumes were made with other credentials",
    ),
    (
        &[
            "database files are incompatible with server",
            "was initialized by postgresql version",
            "unsupported version of the data",
        ],
        "the volume was made by another version of the server",
    ),
    (
        &["address already in use", "address in use", "eaddrinuse"],
        "a port is taken",
    ),
    (
        &[
            "cannot allocate memory",
            "out of memory",
            "oom-kill",
            "eheap_alloc",
        ],
        "it ran out of memory",
    ),
    (
        &["read-only file system"],
        "it writes where its file system is read-only",
    ),
    (
        &["permission denied", "operation not permitted", "eacces"],
        "it may not use a file or directory: perhaps a volume was made by another user",
    ),
    (
        &["no such file or directory", "executable file not found"],
        "a file is missing in its image or volume",
    ),
];

/// What probably went wrong: what its end tells, what its log is known for, else the last error in its log.
pub(in crate::docker) fn likely_cause(end: &End, lines: &[String]) -> Option<String> {
    if end.out_of_memory {
        return Some(
            "it was killed for want of memory: its limit is too low, or the machine is full".to_owned(),
        );
    }
    let said = end.error.as_deref().filter(|error| !error.is_empty());
    if let Some(meaning) = said.and_then(meaning) {
        return Some(meaning.to_owned());
    }
    let known = lines
        .iter()
        .rev()
        .find_map(|line| meaning(line).map(|meaning| format!("{meaning} ({})", line.trim())));
    let written = || {
        if lines.is_empty() {
            None
        } else {
            embedded::likely_cause(lines)
        }
    };
    known
        .or_else(|| said.map(str::to_owned))
        .or_else(written)
        .or_else(|| of_exit_code(end.exit_code))
}

fn meaning(text: &str) -> Option<&'static str> {
    let text = text.to_lowercase();
    let (_, meaning) = SIGNS
        .iter()
        .find(|(signs, _)| signs.iter().any(|sign| text.contains(sign)))?;
    Some(meaning)
}

fn of_exit_code(code: Option<i64>) -> Option<String> {
    let text = match code? {
        126 => "its program cannot be executed",
        127 => "its program is not in its image",
        132 => "its program uses instructions that this processor does not have",
        134 => "its program gave up by itself (abort)",
        137 => "it was killed, perhaps for want of memory",
        139 => "its program crashed (segmentation fault)",
        143 => "somebody asked it to end",
        _ => return None,
    };
    Some(text.to_owned())
}

/// The port that the engine could not bind, out of what it said.
pub(in crate::docker) fn taken_port(text: &str) -> Option<u16> {
    let lower = text.to_lowercase();
    let is_bind = [
        "already allocated",
        "address already in use",
        "ports are not available",
        "only one usage of each socket",
    ];
    if !is_bind.iter().any(|sign| lower.contains(sign)) {
        return None;
    }
    // An address and its port: what follows the last colon behind an address, up to what is no digit.
    let candidates = lower
        .split(|c: char| c.is_whitespace() || c == ',')
        .filter(|word| word.contains(':'));
    candidates
        .filter(|word| word.starts_with(|c: char| c.is_ascii_digit() || c == '['))
        .find_map(port_of)
}

/// The port in `127.0.0.1:3000`, and the first one in `127.0.0.1:3000:172.18.0.2:3000/tcp`.
fn port_of(word: &str) -> Option<u16> {
    let behind_address = match word.strip_prefix('[') {
        Some(rest) => rest.split_once("]:")?.1,
        None => word.split_once(':')?.1,
    };
    let digits: String = behind_address.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().filter(|port| *port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn want_of_memory_counts_before_everything_else() {
        let end = End {
            exit_code: Some(137),
            out_of_memory: true,
            error: None,
        };
        let cause = likely_cause(&end, &lines(&["permission denied"])).unwrap();
        assert!(cause.contains("want of memory"), "{cause}");
        let killed = End {
            exit_code: Some(137),
            ..End::default()
        };
        assert!(likely_cause(&killed, &[]).unwrap().contains("killed"));
    }

    #[test]
    fn well_known_lines_say_what_they_mean() {
        let none = End::default();
        for (line, expected) in [
            (
                "FATAL:  password authentication failed for user \"odd\"",
                "wrong password",
            ),
            (
                "{\"error\":\"ACCESS_REFUSED - Login was refused\"}",
                "wrong password",
            ),
            ("could not write to file: No space left on device", "disk is full"),
            ("exec /odd: exec format error", "architecture"),
            ("mkdir /data/x: Permission denied", "may not use"),
            ("touch: cannot touch 'x': Read-only file system", "read-only"),
            (
                "FATAL:  database files are incompatible with server",
                "another version",
            ),
        ] {
            let cause = likely_cause(&none, &lines(&["starting", line, "bye"])).unwrap();
            assert!(cause.contains(expected) && cause.contains(line), "{cause}");
        }
    }

    #[test]
    fn an_unknown_end_is_explained_by_its_last_error_or_its_exit_code() {
        let end = |code| End {
            exit_code: Some(code),
            ..End::default()
        };
        let log = lines(&[
            r#"{"level":"ERROR","message":"cannot do it","error":"because"}"#,
            "bye",
        ]);
        assert_eq!(
            likely_cause(&end(1), &log).as_deref(),
            Some("cannot do it: because")
        );
        assert_eq!(
            likely_cause(&end(127), &[]).as_deref(),
            Some("its program is not in its image")
        );
        assert_eq!(likely_cause(&end(1), &[]), None);
        let refused = End {
            error: Some("unable to start: something odd".to_owned()),
            ..End::default()
        };
        assert_eq!(
            likely_cause(&refused, &[]).as_deref(),
            Some("unable to start: something odd")
        );
    }

    #[test]
    fn the_port_is_read_from_what_each_engine_says() {
        for text in [
            "driver failed programming external connectivity on endpoint x (5f0c): Bind for 127.0.0.1:3000 failed: port is already allocated",
            "driver failed programming external connectivity on endpoint x (5f0c): Error starting userland proxy: listen tcp4 127.0.0.1:3000: bind: address already in use",
            "failed to set up container networking: driver failed programming external connectivity on endpoint x: failed to bind host port for 127.0.0.1:3000:172.18.0.2:80/tcp: address already in use",
            "Ports are not available: exposing port TCP 127.0.0.1:3000 -> 127.0.0.1:0: listen tcp 127.0.0.1:3000: bind: address already in use",
            "rootlessport listen tcp [::1]:3000: bind: address already in use",
        ] {
            assert_eq!(taken_port(text), Some(3_000), "{text}");
        }
        assert_eq!(taken_port("invalid reference format: 127.0.0.1:3000"), None);
    }
}
