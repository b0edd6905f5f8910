//! The command that mends what is missing, for the system at hand.

use crate::docker::DockerError;

/// A program that can be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    Docker,
    Kind,
    Kubectl,
    Kustomize,
}

/// A system, as far as its commands differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum System {
    Debian,
    Fedora,
    OtherLinux,
    MacOs,
    Windows,
    Other,
}

/// The command that installs a program here.
pub(crate) fn install(tool: Tool) -> String {
    on(system(), tool).to_owned()
}

/// What mends that no Docker engine can be used.
pub(super) fn engine(error: &DockerError) -> String {
    match error {
        DockerError::NoEngine { .. } => install(Tool::Docker),
        other => other.remedy(),
    }
}

const fn on(system: System, tool: Tool) -> &'static str {
    match (system, tool) {
        (System::Debian, Tool::Docker) => {
            "sudo apt-get install docker.io && sudo usermod -aG docker \"$USER\"   (then log in anew)"
        }
        (System::Fedora, Tool::Docker) => {
            "sudo dnf install moby-engine && sudo systemctl enable --now docker && sudo usermod -aG docker \"$USER\"   (then log in anew)"
        }
        (System::MacOs, Tool::Docker) => {
            "brew install --cask docker-desktop   (or: brew install colima docker && colima start)"
        }
        (System::Windows, Tool::Docker) => "winget install Docker.DockerDesktop   (then start it)",
        (System::OtherLinux | System::Other, Tool::Docker) => "https://docs.docker.com/engine/install/",
        (System::MacOs, Tool::Kind) => "brew install kind",
        (System::Windows, Tool::Kind) => "winget install Kubernetes.kind",
        (_, Tool::Kind) => {
            "go install sigs.k8s.io/kind@latest   (or https://kind.sigs.k8s.io/docs/user/quick-start/)"
        }
        (System::Debian, Tool::Kubectl) => "sudo apt-get install kubernetes-client",
        (System::Fedora, Tool::Kubectl) => "sudo dnf install kubernetes-client",
        (System::MacOs, Tool::Kubectl) => "brew install kubectl",
        (System::Windows, Tool::Kubectl) => "winget install Kubernetes.kubectl",
        (_, Tool::Kubectl) => "https://kubernetes.io/docs/tasks/tools/",
        (System::MacOs, Tool::Kustomize) => "brew install kustomize",
        (System::Windows, Tool::Kustomize) => "winget install Kubernetes.kustomize",
        (_, Tool::Kustomize) => "https://kubectl.docs.kubernetes.io/installation/kustomize/",
    }
}

fn system() -> System {
    match std::env::consts::OS {
        "linux" => linux(&std::fs::read_to_string("/etc/os-release").unwrap_or_default()),
        "macos" => System::MacOs,
        "windows" => System::Windows,
        _ => System::Other,
    }
}

/// The family of a distribution, from its os-release(5).
fn linux(os_release: &str) -> System {
    let value = |key: &str| {
        let lines = os_release.lines();
        let mut found = lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        found.next().unwrap_or_default().replace('"', "")
    };
    let family = format!("{} {}", value("ID"), value("ID_LIKE"));
    let is = |name: &str| family.split_whitespace().any(|word| word == name);
    if is("debian") || is("ubuntu") {
        System::Debian
    } else if is("fedora") || is("rhel") {
        System::Fedora
    } else {
        System::OtherLinux
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_is_known_by_its_family() {
        assert_eq!(
            linux("PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\n"),
            System::Debian
        );
        assert_eq!(linux("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"), System::Debian);
        assert_eq!(
            linux("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n"),
            System::Fedora
        );
        assert_eq!(linux("ID=arch\n"), System::OtherLinux);
        assert_eq!(linux(""), System::OtherLinux);
    }

    #[test]
    fn every_system_has_a_way_to_docker() {
        assert!(on(System::Debian, Tool::Docker).contains("apt-get install docker.io"));
        assert!(on(System::Fedora, Tool::Docker).contains("dnf"));
        assert!(on(System::MacOs, Tool::Docker).contains("colima"));
        assert!(on(System::Windows, Tool::Docker).contains("winget"));
        assert!(on(System::OtherLinux, Tool::Docker).contains("docs.docker.com"));
    }
}
