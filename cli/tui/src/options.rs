//! What the dashboard is told when it starts.

use std::path::PathBuf;

/// What to watch and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name of the instance.
    pub instance: String,
    /// Where its roles answer.
    pub addresses: Addresses,
    /// The `odd` binary, which is run for what belongs to this machine: starting and stopping a stack, logs, the doctor.
    pub program: PathBuf,
    /// Arguments that make each of those commands speak of the same instance, such as `--instance demo`.
    pub arguments: Vec<String>,
    /// What stands behind a command that is shown, so that it speaks of this instance: nothing, or ` --instance demo`.
    pub of_instance: String,
    /// What may be done from here.
    pub mode: Mode,
    /// How it looks.
    pub look: Look,
    /// Whether a browser can be opened: not over SSH, nor without a display.
    pub has_browser: bool,
    /// Whether to begin with the launcher, because nothing of the instance runs.
    pub launcher: bool,
}

/// Where the roles answer that user interfaces speak to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Base address of the gateway, such as `http://127.0.0.1:3000`.
    pub gateway: String,
    /// Base address of the read-model.
    pub read_model: String,
}

/// What may be done from here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Everything.
    #[default]
    Full,
    /// Looking only: nothing is submitted, cancelled, started or stopped.
    ReadOnly,
    /// In the web terminal, and for an instance elsewhere: jobs can be submitted, but nothing of this machine can be reached.
    Server,
    /// The same, looking only.
    ServerReadOnly,
}

impl Mode {
    /// Whether jobs may be submitted, cancelled, retried and requeued.
    pub const fn changes_jobs(self) -> bool {
        matches!(self, Self::Full | Self::Server)
    }

    /// Whether the stack may be started and stopped.
    pub const fn changes_stack(self) -> bool {
        matches!(self, Self::Full)
    }

    /// Whether commands of `odd` can be run for what this machine knows: logs, the doctor, addresses.
    pub const fn has_machine(self) -> bool {
        matches!(self, Self::Full | Self::ReadOnly)
    }
}

/// How it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Which colours.
    pub theme: ThemeName,
    /// How many colours the terminal has.
    pub depth: Depth,
    /// Whether more than ASCII can be shown.
    pub unicode: bool,
}

/// A set of colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ThemeName {
    /// Light text on dark ground.
    #[default]
    Dark,
    /// Dark text on light ground.
    Light,
    /// As much contrast as there is.
    Contrast,
}

impl ThemeName {
    /// Every theme.
    pub const ALL: [Self; 3] = [Self::Dark, Self::Light, Self::Contrast];

    /// Its name, as it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::Contrast => "contrast",
        }
    }
}

/// How many colours a terminal has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// None, or none are wanted.
    None,
    /// The sixteen that every terminal has.
    #[default]
    Sixteen,
    /// 24 bits.
    True,
}
