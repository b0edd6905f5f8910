//! What an exit code means. Public: scripts rely on it.

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// Done.
    Ok = 0,
    /// Not done.
    Failed = 1,
    /// The command line itself is wrong.
    Usage = 2,
    /// Something that the command needs is missing: the instance does not run, a port is taken, a directory cannot be written.
    Prerequisite = 3,
    /// The job ended FAILED or CANCELLED (`submit --wait`).
    JobFailed = 4,
    /// Not done in the time given.
    TimedOut = 5,
    /// A verification or gate found something (`verify`, `test`, `contracts`).
    GateFailed = 6,
    /// Ctrl-C.
    Interrupted = 130,
}

impl ExitCode {
    /// Every exit code, in order.
    pub const ALL: [Self; 8] = [
        Self::Ok,
        Self::Failed,
        Self::Usage,
        Self::Prerequisite,
        Self::JobFailed,
        Self::TimedOut,
        Self::GateFailed,
        Self::Interrupted,
    ];

    /// What it means, for help texts.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done",
            Self::Failed => "failed",
            Self::Usage => "wrong usage",
            Self::Prerequisite => "something needed is missing: not running, a port taken, no access",
            Self::JobFailed => "the job ended FAILED or CANCELLED (submit --wait)",
            Self::TimedOut => "timed out",
            Self::GateFailed => "a verification or gate failed",
            Self::Interrupted => "interrupted",
        }
    }

    /// The table for help texts.
    pub fn table() -> String {
        let mut table = String::from("Exit codes:\n");
        for code in Self::ALL {
            table.push_str(&format!("  {:<4} {}\n", code as u8, code.meaning()));
        }
        table
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}
