//! Roles that are killed, at any moment and in every narrow window.

use odd_contracts::Role;

use crate::bed::Bed;
use crate::process::RoleProcess;
use crate::seeds;

/// The role's process among those of a bed; of processors, the first.
fn of(bed: &mut Bed, role: Role) -> &mut RoleProcess {
    match role {
        Role::Gateway => &mut bed.gateway,
        Role::Processor => &mut bed.processors[0],
        Role::MetricsEngine => &mut bed.metrics_engine,
        Role::ReadModel => &mut bed.read_model,
        Role::Web => &mut bed.web,
    }
}

async fn killed(role: Role) {
    for seed in seeds() {
        let mut bed = Bed::up(seed).await;
        let load = bed.load_until_fault().await;
        of(&mut bed, role).kill();
        of(&mut bed, role).start();
        bed.prove(&format!("kill -9 of the {role}"), load).await;
    }
}

#[tokio::test]
async fn kill_of_the_gateway() {
    killed(Role::Gateway).await;
}

#[tokio::test]
async fn kill_of_the_processor() {
    killed(Role::Processor).await;
}

#[tokio::test]
async fn kill_of_the_metrics_engine() {
    killed(Role::MetricsEngine).await;
}

#[tokio::test]
async fn kill_of_the_read_model() {
    killed(Role::ReadModel).await;
}

/// What is in hand is finished or given back; another processor goes on.
#[tokio::test]
async fn two_processors_killed_and_replaced() {
    for seed in seeds() {
        let mut bed = Bed::up(seed).await;
        bed.add_processor(None);
        bed.ready().await;
        let load = bed.load_until_fault().await;
        for mut processor in std::mem::take(&mut bed.processors) {
            processor.kill();
        }
        bed.add_processor(None);
        bed.add_processor(None);
        bed.prove("two processors killed and replaced", load).await;
    }
}

/// An orchestrator's rolling restart: every role ends with exit code 0 while jobs come in.
#[tokio::test]
async fn orderly_stop_of_each_role() {
    for seed in seeds() {
        let mut bed = Bed::up(seed).await;
        let load = bed.load_until_fault().await;
        for role in Role::ALL {
            let status = of(&mut bed, role).stop().await;
            assert!(status.success(), "the {role} ended with {status}");
            of(&mut bed, role).start();
        }
        bed.prove("orderly restart of each role", load).await;
    }
}

/// Ends the role in the window once it has passed it `passes` times, so that there is work on every side of it. Few where a whole batch
/// passes at once: the slower the machine, the larger and the fewer they are.
async fn window(role: Role, failpoint: &str, passes: u32) {
    let armed = format!("{failpoint}={passes}*off->return");
    for seed in seeds() {
        let mut bed = if role == Role::Processor {
            let mut bed = Bed::without_processors(seed).await;
            bed.add_processor(Some(&armed));
            bed
        } else {
            let mut bed = Bed::up(seed).await;
            of(&mut bed, role).kill();
            of(&mut bed, role).start_with(Some(&armed));
            bed
        };
        bed.ready().await;
        let load = bed.load();
        let status = of(&mut bed, role).ended("to reach its failpoint").await;
        assert!(!status.success(), "{failpoint} ends the process: {status}");
        of(&mut bed, role).start();
        bed.prove(failpoint, load).await;
    }
}

macro_rules! windows {
    ($($name:ident: $role:ident, $failpoint:literal, $passes:literal;)*) => {
        $(#[tokio::test]
        async fn $name() {
            window(Role::$role, $failpoint, $passes).await;
        })*

        #[test]
        fn every_failpoint_of_the_sources_is_tried() {
            let mut tried = vec![$($failpoint),*];
            tried.sort_unstable();
            assert_eq!(failpoints_of_the_sources(), tried);
        }
    };
}

windows! {
    window_gateway_before_publish: Gateway, "gateway.before_publish", 300;
    window_gateway_after_confirm: Gateway, "gateway.after_confirm", 300;
    window_processor_after_take: Processor, "processor.after_take", 20;
    window_processor_after_execute: Processor, "processor.after_execute", 4;
    window_processor_after_commit: Processor, "processor.after_commit", 4;
    window_processor_after_publish: Processor, "processor.after_publish", 4;
    window_processor_after_settle: Processor, "processor.after_settle", 2;
    window_processor_after_acknowledge: Processor, "processor.after_acknowledge", 4;
    window_metrics_engine_before_append: MetricsEngine, "metrics_engine.before_append", 3;
    window_metrics_engine_after_append: MetricsEngine, "metrics_engine.after_append", 3;
    window_metrics_engine_after_counters: MetricsEngine, "metrics_engine.after_counters", 3;
    window_metrics_engine_after_ack: MetricsEngine, "metrics_engine.after_ack", 3;
}

/// But for the window of garbage on the spine, which is tried among the poison messages.
fn failpoints_of_the_sources() -> Vec<String> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = Vec::new();
    for role in Role::ALL {
        for file in std::fs::read_dir(root.join("services").join(role.name()).join("src")).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap_or_default();
            let points = text.split("fail_point!(\"").skip(1);
            found.extend(
                points
                    .filter_map(|rest| rest.split('"').next())
                    .map(str::to_owned),
            );
        }
    }
    found.retain(|point| point != "processor.after_dead_letter");
    found.sort_unstable();
    found
}
