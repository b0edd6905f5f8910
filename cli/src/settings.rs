//! Settings: flag > environment > project file > user file > default, and where each came from.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use odd_contracts::names::env;
use odd_engine::{Home, Instance, InstanceName};
use serde::Deserialize;

use crate::args::{Global, OutputForm};
use crate::error::Error;
use crate::exit::ExitCode;

/// Name of the project's settings file, looked for here and in every directory above.
pub const PROJECT_FILE: &str = "odd.toml";
/// Chooses the form of answers.
const OUTPUT: &str = "ODD_OUTPUT";

/// What an instance is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum EngineChoice {
    /// What the instance runs on already, else Docker where its images are to be had, else embedded.
    #[default]
    Auto,
    /// Containers of a Docker engine.
    Docker,
    /// One background process with every role and SQLite.
    Embedded,
    /// A Kubernetes cluster that is there: that of a context, else the current one.
    Kubernetes,
    /// A Kubernetes cluster on this machine, which kind makes: task-observatory.
    Kind,
}

impl EngineChoice {
    /// The engine as it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Docker => "docker",
            Self::Embedded => "embedded",
            Self::Kubernetes => "kubernetes",
            Self::Kind => "kind",
        }
    }
}

/// What a command does with the name of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineUse {
    /// Makes or finds an instance by it: it has to be one that there is.
    Choose,
    /// Shows it at most: whoever started this process calls it as they like.
    Show,
}

/// Where a setting came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag of the command line.
    Flag(&'static str),
    /// An environment variable.
    Environment(&'static str),
    /// The project's file.
    Project(PathBuf),
    /// The user's file.
    User(PathBuf),
    /// Nothing was set.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "flag --{name}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Project(path) => write!(f, "project file {}", path.display()),
            Self::User(path) => write!(f, "user file {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A setting and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// Its value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

/// Everything that can be set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Directory of everything that `odd` keeps.
    pub home: Setting<PathBuf>,
    /// Instance that commands speak to.
    pub instance_name: Setting<InstanceName>,
    /// Added to every port.
    pub port_offset: Setting<u16>,
    /// What an instance is made of.
    pub engine: Setting<EngineChoice>,
    /// Form of answers.
    pub output: Setting<OutputForm>,
    /// Address of the gateway, where it is not the instance's own.
    pub gateway_url: Setting<Option<String>>,
    /// Address of the read-model, where it is not the instance's own.
    pub read_model_url: Setting<Option<String>>,
}

/// What a settings file may hold.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct File {
    instance: Option<String>,
    port_offset: Option<u16>,
    engine: Option<String>,
    output: Option<String>,
    gateway_url: Option<String>,
    read_model_url: Option<String>,
}

/// What settings are made of, so that a test can give its own.
pub struct Sources<'a> {
    flags: &'a Global,
    engine_use: EngineUse,
    environment: &'a dyn Fn(&str) -> Option<String>,
    project: Option<(PathBuf, File)>,
    user: Option<(PathBuf, File)>,
}

impl Settings {
    /// From the flags, the process's environment and the files that are there.
    ///
    /// # Errors
    /// Exit code 2 with every setting that makes no sense.
    pub fn load(flags: &Global, engine_use: EngineUse) -> Result<Self, Error> {
        let here = std::env::current_dir().unwrap_or_default();
        let environment = variable;
        let project = project_file(&here).map(read_file).transpose()?;
        let user = user_file(&environment).map(read_file).transpose()?;
        Self::resolve(&Sources {
            flags,
            engine_use,
            environment: &environment,
            project,
            user,
        })
    }

    fn resolve(sources: &Sources<'_>) -> Result<Self, Error> {
        let mut wrong = Vec::new();
        let flags = sources.flags;
        let instance_name = parsed(
            sources.pick("instance", env::INSTANCE, flags.instance.clone(), |f| {
                f.instance.clone()
            }),
            &mut wrong,
            |text| text.parse::<InstanceName>().map_err(|e| e.to_string()),
        );
        let port_offset = parsed(
            sources.pick(
                "port-offset",
                env::PORT_OFFSET,
                flags.port_offset.map(|n| n.to_string()),
                |f| f.port_offset.map(|n| n.to_string()),
            ),
            &mut wrong,
            port_offset_of,
        );
        let engine = parsed(
            sources.pick("engine", env::ENGINE, None, |f| f.engine.clone()),
            &mut wrong,
            |text| match EngineChoice::from_str(text, false) {
                Ok(engine) => Ok(engine),
                Err(_) if sources.engine_use == EngineUse::Show => Ok(EngineChoice::default()),
                Err(_) => Err(format!(
                    "{text:?} is none of auto, docker, embedded, kubernetes and kind"
                )),
            },
        );
        let output = parsed(
            sources.pick("output", OUTPUT, flags.output.map(|o| o.name().to_owned()), |f| {
                f.output.clone()
            }),
            &mut wrong,
            |text| {
                OutputForm::from_str(text, false)
                    .map_err(|_| format!("{text:?} is none of text, json and ndjson"))
            },
        );
        let url = |flag, variable, given: &Option<String>, of: fn(&File) -> Option<String>| {
            let (value, origin) = sources.pick(flag, variable, given.clone(), of);
            Setting { value, origin }
        };
        let gateway_url = url("gateway-url", env::GATEWAY_URL, &flags.gateway_url, |f| {
            f.gateway_url.clone()
        });
        let read_model_url = url(
            "read-model-url",
            env::READ_MODEL_URL,
            &flags.read_model_url,
            |f| f.read_model_url.clone(),
        );
        let home = sources.home(&mut wrong);
        if wrong.is_empty() {
            Ok(Self {
                home,
                instance_name,
                port_offset,
                engine,
                output,
                gateway_url,
                read_model_url,
            })
        } else {
            Err(Error::because("read the settings", wrong.join("\n"))
                .code(ExitCode::Usage)
                .hint("odd --help"))
        }
    }

    /// The instance that commands speak to.
    ///
    /// # Errors
    /// Never at present: every part was checked when it was read.
    pub fn instance(&self) -> Result<Instance, Error> {
        Ok(Instance {
            name: self.instance_name.value.clone(),
            home: Home::at(&self.home.value),
            port_offset: self.port_offset.value,
        })
    }

    /// Every setting with its value in words and its origin.
    pub fn list(&self) -> Vec<(&'static str, Option<String>, &Origin)> {
        vec![
            (
                "home",
                Some(self.home.value.display().to_string()),
                &self.home.origin,
            ),
            (
                "instance",
                Some(self.instance_name.value.to_string()),
                &self.instance_name.origin,
            ),
            (
                "port-offset",
                Some(self.port_offset.value.to_string()),
                &self.port_offset.origin,
            ),
            (
                "engine",
                Some(self.engine.value.name().to_owned()),
                &self.engine.origin,
            ),
            (
                "output",
                Some(self.output.value.name().to_owned()),
                &self.output.origin,
            ),
            (
                "gateway-url",
                self.gateway_url.value.clone(),
                &self.gateway_url.origin,
            ),
            (
                "read-model-url",
                self.read_model_url.value.clone(),
                &self.read_model_url.origin,
            ),
        ]
    }
}

impl Sources<'_> {
    fn pick(
        &self,
        flag: &'static str,
        variable: &'static str,
        given: Option<String>,
        of: fn(&File) -> Option<String>,
    ) -> (Option<String>, Origin) {
        if given.is_some() {
            return (given, Origin::Flag(flag));
        }
        if let Some(value) = (self.environment)(variable) {
            return (Some(value), Origin::Environment(variable));
        }
        if let Some((path, file)) = &self.project
            && let Some(value) = of(file)
        {
            return (Some(value), Origin::Project(path.clone()));
        }
        if let Some((path, file)) = &self.user
            && let Some(value) = of(file)
        {
            return (Some(value), Origin::User(path.clone()));
        }
        (None, Origin::Default)
    }

    fn home(&self, wrong: &mut Vec<String>) -> Setting<PathBuf> {
        if let Some(path) = (self.environment)(env::HOME) {
            if path.contains(char::REPLACEMENT_CHARACTER) {
                wrong.push(format!("environment {}: {path:?} is no UTF-8", env::HOME));
            }
            return Setting {
                value: Home::at(path).path().to_owned(),
                origin: Origin::Environment(env::HOME),
            };
        }
        let value = Home::of_platform().map(|home| home.path().to_owned());
        if value.is_none() {
            wrong.push(format!(
                "this user has no home directory: set {} to a directory",
                env::HOME
            ));
        }
        Setting {
            value: value.unwrap_or_default(),
            origin: Origin::Default,
        }
    }
}

fn parsed<T: Default>(
    (value, origin): (Option<String>, Origin),
    wrong: &mut Vec<String>,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Setting<T> {
    let value = match value.as_deref().map(parse) {
        None => T::default(),
        Some(Ok(value)) => value,
        Some(Err(reason)) => {
            wrong.push(format!("{origin}: {reason}"));
            T::default()
        }
    };
    Setting { value, origin }
}

/// A variable that is set to something. What is no UTF-8 becomes what no setting takes, so that it is refused and not passed over.
fn variable(name: &str) -> Option<String> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty())?;
    Some(value.to_string_lossy().into_owned())
}

fn port_offset_of(text: &str) -> Result<u16, String> {
    let offset: Option<u16> = text.parse().ok();
    offset
        .filter(|offset| *offset <= Instance::MAX_PORT_OFFSET)
        .ok_or_else(|| format!("{text:?} is no number from 0 to {}", Instance::MAX_PORT_OFFSET))
}

fn project_file(from: &Path) -> Option<PathBuf> {
    from.ancestors()
        .map(|directory| directory.join(PROJECT_FILE))
        .find(|path| path.is_file())
}

/// The user's file: `config.toml` in ODD_HOME.
fn user_file(environment: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let home = environment(env::HOME).map(Home::at).or_else(Home::of_platform)?;
    Some(home.path().join("config.toml")).filter(|path| path.is_file())
}

fn read_file(path: PathBuf) -> Result<(PathBuf, File), Error> {
    let failed = |cause: anyhow::Error| {
        Error::new(format!("read the settings in {}", path.display()), cause).code(ExitCode::Usage)
    };
    let text = std::fs::read_to_string(&path).map_err(|e| failed(e.into()))?;
    let file =
        toml::from_str(&text).map_err(|e| failed(anyhow::Error::msg(e.to_string().trim_end().to_owned())))?;
    Ok((path, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> File {
        toml::from_str(text).unwrap()
    }

    fn resolve(
        flags: &Global,
        environment: &[(&str, &str)],
        project: Option<&str>,
        user: Option<&str>,
    ) -> Settings {
        let lookup = |name: &str| {
            let known = [(env::HOME, "/home/of/odd")];
            let found = environment.iter().chain(&known).find(|(n, _)| *n == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Settings::resolve(&Sources {
            flags,
            engine_use: EngineUse::Choose,
            environment: &lookup,
            project: project.map(|text| (PathBuf::from("odd.toml"), file(text))),
            user: user.map(|text| (PathBuf::from("config.toml"), file(text))),
        })
        .unwrap()
    }

    #[test]
    fn the_nearest_origin_wins() {
        let flags = Global {
            instance: Some("flag".to_owned()),
            ..Global::default()
        };
        let none = Global::default();
        let environment = [(env::INSTANCE, "environment")];
        let (project, user) = (Some("instance = 'project'"), Some("instance = 'user'"));
        let instance = |s: Settings| (s.instance_name.value.to_string(), s.instance_name.origin);

        assert_eq!(instance(resolve(&flags, &environment, project, user)).0, "flag");
        assert_eq!(
            instance(resolve(&none, &environment, project, user)).0,
            "environment"
        );
        assert_eq!(instance(resolve(&none, &[], project, user)).0, "project");
        assert_eq!(instance(resolve(&none, &[], None, user)).0, "user");
        assert_eq!(
            instance(resolve(&none, &[], None, None)),
            ("observatory".to_owned(), Origin::Default)
        );
    }

    #[test]
    fn every_wrong_setting_is_named_with_its_origin() {
        let lookup = |name: &str| match name {
            env::PORT_OFFSET => Some("60000".to_owned()),
            env::INSTANCE => Some("Not A Name".to_owned()),
            env::ENGINE => Some("paper".to_owned()),
            _ => Some("/home".to_owned()),
        };
        let flags = Global {
            output: Some(OutputForm::Json),
            ..Global::default()
        };
        let told = |engine_use| {
            let error = Settings::resolve(&Sources {
                flags: &flags,
                engine_use,
                environment: &lookup,
                project: None,
                user: None,
            })
            .unwrap_err();
            assert_eq!(error.code, ExitCode::Usage);
            error.cause.to_string()
        };
        let text = told(EngineUse::Choose);
        assert!(text.contains("environment ODD_PORT_OFFSET"), "{text}");
        assert!(text.contains("environment ODD_INSTANCE"), "{text}");
        assert!(text.contains("environment ODD_ENGINE: \"paper\""), "{text}");
        let text = told(EngineUse::Show);
        assert!(
            text.contains("ODD_INSTANCE") && !text.contains("ODD_ENGINE"),
            "{text}"
        );
    }

    #[test]
    fn an_unknown_key_is_refused() {
        assert!(toml::from_str::<File>("instanse = 'x'").is_err());
    }
}
