//! What observes the stack: the files of Prometheus, Alertmanager and Grafana, checked by their own tools, by their
//! shape, and against a Prometheus that has watched real jobs.

mod dashboards;
mod jobs;
mod live;
mod prometheus;
mod promql;
mod shape;
mod tools;
