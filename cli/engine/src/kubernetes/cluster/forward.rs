//! Ports of this machine that lead to pods: to any of a Service that is ready, and for longer than one pod lives. A client that closes its
//! half of a connection gives up the answer: the way to a pod has no halves.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use k8s_openapi::api::core::v1 as whole;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::error::said;
use super::symptom::stage;
use super::view::{self, Pod, ServicePort};
use super::{Cluster, ClusterError, PodStage};
use crate::error::chain;

/// How long a connection waits for a pod that takes it: a pod that is replaced is missed for about that long.
const PATIENCE: Duration = Duration::from_secs(15);
/// Time to hand over what came before a way ended.
const REST: Duration = Duration::from_secs(1);
/// Pause between two looks for one.
const PAUSE: Duration = Duration::from_millis(250);

/// A port that is to lead to a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where to listen on this machine; port 0 takes any.
    pub local: SocketAddr,
    /// Name of the Service.
    pub service: String,
    /// Port of the Service; where it has none of this number, its port named `http`.
    pub port: u16,
}

/// A port that leads to a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// Where it listens on this machine.
    pub local: SocketAddr,
    /// Name of the Service.
    pub service: String,
}

/// Ports of this machine that lead to Services of a namespace.
pub struct Forwards {
    cluster: Cluster,
    namespace: String,
    listeners: Vec<(TcpListener, Target)>,
}

impl Forwards {
    /// Listens at each of them. Nothing is taken before [`Self::run`].
    ///
    /// # Errors
    /// [`ClusterError::Listen`] where one cannot be listened at.
    pub async fn listen(
        cluster: &Cluster,
        namespace: &str,
        targets: &[Target],
    ) -> Result<Self, ClusterError> {
        let mut listeners = Vec::new();
        for target in targets {
            let listener = TcpListener::bind(target.local).await;
            let listener = listener.map_err(|source| ClusterError::Listen {
                address: target.local,
                service: target.service.clone(),
                source,
            })?;
            listeners.push((listener, target.clone()));
        }
        Ok(Self {
            cluster: cluster.clone(),
            namespace: namespace.to_owned(),
            listeners,
        })
    }

    /// Where each of them listens.
    pub fn addresses(&self) -> Vec<Forward> {
        let forward = |(listener, target): &(TcpListener, Target)| Forward {
            local: listener.local_addr().unwrap_or(target.local),
            service: target.service.clone(),
        };
        self.listeners.iter().map(forward).collect()
    }

    /// Takes connections until this is dropped, each to a pod that is ready when it comes. What goes wrong with one of them is told and
    /// ends that one only.
    pub async fn run(self, tell: impl Fn(&Forward, &ClusterError) + Send + Sync + 'static) {
        let tell = Arc::new(tell);
        let addresses = self.addresses();
        let mut all = JoinSet::new();
        for ((listener, target), forward) in self.listeners.into_iter().zip(addresses) {
            let way = Arc::new(Way {
                cluster: self.cluster.clone(),
                namespace: self.namespace.clone(),
                target,
                next: AtomicUsize::new(0),
            });
            let tell = Arc::clone(&tell);
            all.spawn(async move { way.take_all(&listener, move |error| tell(&forward, error)).await });
        }
        while all.join_next().await.is_some() {}
    }
}

/// The way to a Service.
struct Way {
    cluster: Cluster,
    namespace: String,
    target: Target,
    /// Counts connections, so that they are spread over the pods.
    next: AtomicUsize,
}

impl Way {
    async fn take_all(
        self: Arc<Self>,
        listener: &TcpListener,
        tell: impl Fn(&ClusterError) + Send + Sync + 'static,
    ) {
        let tell = Arc::new(tell);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                taken = listener.accept() => {
                    let Ok((socket, _)) = taken else {
                        // Too many open files: some of them will be closed.
                        sleep(PAUSE).await;
                        continue;
                    };
                    let (way, tell) = (Arc::clone(&self), Arc::clone(&tell));
                    connections.spawn(async move {
                        if let Err(error) = way.carry(socket).await {
                            tell(&error);
                        }
                    });
                }
                Some(_) = connections.join_next() => {}
            }
        }
    }

    /// Carries one connection from its begin to its end.
    async fn carry(&self, mut socket: TcpStream) -> Result<(), ClusterError> {
        // Small answers of interactive pages go at once.
        let _ = socket.set_nodelay(true);
        let Ok(reached) = timeout(PATIENCE, self.reach_sometime()).await else {
            return Err(ClusterError::NoReadyPod {
                service: self.target.service.clone(),
            });
        };
        let (mut forwarder, port) = reached?;
        let Some(mut stream) = forwarder.take_stream(port) else {
            return Err(self.cannot("its port was not opened"));
        };
        let failed = forwarder.take_error(port);
        let failed = async {
            match failed {
                Some(failed) => failed.await,
                None => None,
            }
        };
        let mut copied = pin!(tokio::io::copy_bidirectional(&mut socket, &mut stream));
        let ended = tokio::select! {
            // What either side does to a connection is no fault of the way.
            _ = &mut copied => return Ok(()),
            Some(reason) = failed => return Err(self.cannot(reason)),
            ended = forwarder.join() => ended,
        };
        // What came before the way ended is still delivered.
        let _ = timeout(REST, copied).await;
        ended.map_err(|error| self.cannot(chain(&error)))
    }

    /// Opens a way to a pod, as soon as one is ready.
    async fn reach_sometime(&self) -> Result<(kube::api::Portforwarder, u16), ClusterError> {
        loop {
            match self.reach().await {
                // No waiting gives a Service what it does not have.
                Err(error @ ClusterError::NoSuchPort { .. }) => return Err(error),
                Ok(reached) => return Ok(reached),
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    /// Opens a way to one of the pods that are ready.
    async fn reach(&self) -> Result<(kube::api::Portforwarder, u16), ClusterError> {
        let (pod, port) = self.choose().await?;
        let pods: Api<whole::Pod> = Api::namespaced(self.cluster.client.clone(), &self.namespace);
        let forwarder = pods.portforward(&pod, &[port]).await;
        let forwarder =
            forwarder.map_err(|error| ClusterError::of(format!("reach the pod {pod}"), &error))?;
        Ok((forwarder, port))
    }

    /// A pod that is ready, and its port.
    async fn choose(&self) -> Result<(String, u16), ClusterError> {
        let services = view::services(&self.cluster, &self.namespace);
        let service = services.get(&self.target.service).await;
        let service = service.map_err(|error| match error {
            kube::Error::Api(status) if status.code == 404 => self.cannot(said(&status)),
            other => ClusterError::of(format!("read the Service {}", self.target.service), &other),
        })?;
        let spec = service.spec;
        let port = port_of(spec.ports.as_deref().unwrap_or_default(), self.target.port);
        let port = port.ok_or_else(|| self.cannot(format!("it has no port {}", self.target.port)))?;
        let labels = spec.selector.unwrap_or_default();
        let selector: Vec<String> = labels
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let pods = view::pods(&self.cluster, &self.namespace);
        let pods = pods
            .list(&ListParams::default().labels(&selector.join(",")))
            .await;
        let pods = pods
            .map_err(|error| ClusterError::of(format!("list the pods of {}", self.target.service), &error))?;
        let ready: Vec<Pod> = pods
            .items
            .into_iter()
            .filter(|pod| stage(pod) == PodStage::Ready)
            .collect();
        if ready.is_empty() {
            return Err(ClusterError::NoReadyPod {
                service: self.target.service.clone(),
            });
        }
        let pod = &ready[self.next.fetch_add(1, Ordering::Relaxed) % ready.len()];
        let number = number_of(&port, pod).ok_or_else(|| self.cannot("its pods do not have that port"))?;
        Ok((pod.name_any(), number))
    }

    fn cannot(&self, reason: impl Into<String>) -> ClusterError {
        ClusterError::NoSuchPort {
            service: self.target.service.clone(),
            reason: reason.into(),
        }
    }
}

/// Where a port of a Service leads to in its pods.
fn port_of(ports: &[ServicePort], wanted: u16) -> Option<IntOrString> {
    let by_number = ports.iter().find(|port| port.port == i32::from(wanted));
    let port = by_number.or_else(|| ports.iter().find(|port| port.name.as_deref() == Some("http")))?;
    Some(port.target_port.clone().unwrap_or(IntOrString::Int(port.port)))
}

/// The number of a port in a pod, which may be told by its name.
fn number_of(port: &IntOrString, pod: &Pod) -> Option<u16> {
    let number = match port {
        IntOrString::Int(number) => *number,
        IntOrString::String(name) => {
            let containers = pod.spec.containers.iter();
            let mut ports = containers.flat_map(|it| it.ports.iter().flatten());
            ports
                .find(|port| port.name.as_ref() == Some(name))?
                .container_port
        }
    };
    u16::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_port_is_found_by_its_number_and_by_its_name() {
        let ports: Vec<ServicePort> = serde_json::from_value(json!([
            {"port": 80, "targetPort": "http"}, {"port": 9000, "targetPort": 9001}, {"port": 7}
        ]))
        .unwrap();
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {}, "spec": {"containers": [{"name": "web", "ports": [{"name": "http", "containerPort": 8081}]}]}
        }))
        .unwrap();
        let number = |wanted: u16| number_of(&port_of(&ports, wanted)?, &pod);
        assert_eq!(
            (number(80), number(9000), number(7)),
            (Some(8081), Some(9001), Some(7))
        );
        assert_eq!(number(81), None);
        let grafana: Vec<ServicePort> =
            serde_json::from_value(json!([{"name": "http", "port": 3000}])).unwrap();
        assert_eq!(number_of(&port_of(&grafana, 3002).unwrap(), &pod), Some(3000));
    }
}
