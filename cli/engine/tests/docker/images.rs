//! Images on a real Docker engine: built from a program, pulled from a registry of this test, and what is said of those that are not to be had.

use std::path::Path;
use std::time::{Duration, Instant};

use odd_engine::docker::image::{self, ImageError, RoleImage, RoleRequest};
use odd_engine::docker::{Event, ImageSource, ImageState};

use crate::registry::{Answer, Registry};
use crate::workshop::{Workshop, remove_images, tiny};

fn states(events: &[Event], image: &str) -> Vec<ImageState> {
    let mut all: Vec<ImageState> = Vec::new();
    for event in events {
        if let Event::Image { reference, state, .. } = event
            && reference == image
            && all.last() != Some(state)
        {
            all.push(*state);
        }
    }
    all
}

#[tokio::test]
async fn a_static_program_is_the_whole_image_and_is_built_once() {
    let shop = Workshop::new().await;
    shop.write_program(&tiny(1));
    let request = shop.request();
    let role = shop.role(&request).await;
    assert_eq!(role.source, ImageSource::Build);
    let project = shop.project(&[&role.reference]);
    let (done, events) = shop.ensure(&request, &role, &project).await;
    done.expect("it is built");
    assert_eq!(
        states(&events, &role.reference),
        [ImageState::Building, ImageState::Ready]
    );

    let seen = shop.inspect(&role.reference).await;
    let config = seen.config.expect("a configuration");
    assert_eq!(config.user.as_deref(), Some("65532:65532"));
    assert_eq!(config.entrypoint.unwrap_or_default(), ["/odd"]);
    assert!(config.cmd.unwrap_or_default().is_empty());
    let labels = config.labels.unwrap_or_default();
    assert_eq!(labels["org.opencontainers.image.version"], "0.0.0-test");
    assert_eq!(labels["org.opencontainers.image.revision"], "c0ffee");
    assert_eq!(format!("odd-roles:{}", labels["odd.role-image"]), role.reference);
    assert_eq!(
        seen.root_fs.and_then(|fs| fs.layers).unwrap_or_default().len(),
        1,
        "nothing but the program"
    );
    assert_eq!(shop.run(&role.reference).await, 0);

    let again = shop.role(&request).await;
    assert_eq!(
        (again.source, &again.reference),
        (ImageSource::Present, &role.reference)
    );
    let (done, events) = shop.ensure(&request, &again, &project).await;
    done.expect("it is there");
    assert_eq!(events, []);

    shop.write_program(&tiny(2));
    let other = shop.role(&request).await;
    assert_ne!(other.reference, role.reference);
    assert_eq!(other.source, ImageSource::Build);
}

#[tokio::test]
async fn it_is_built_anew_where_that_is_asked_for() {
    let shop = Workshop::new().await;
    shop.write_program(&tiny(3));
    let mut request = shop.request();
    let role = shop.role(&request).await;
    let project = shop.project(&[&role.reference]);
    shop.ensure(&request, &role, &project)
        .await
        .0
        .expect("it is built");
    let first = shop.inspect(&role.reference).await.id;
    request.build = true;
    let role = shop.role(&request).await;
    assert_eq!(role.source, ImageSource::Build);
    shop.ensure(&request, &role, &project)
        .await
        .0
        .expect("it is built again");
    assert_ne!(shop.inspect(&role.reference).await.id, first);
}

#[tokio::test]
async fn a_program_with_shared_libraries_runs_on_the_offline_base() {
    let shop = Workshop::new().await;
    // Nobody has built just this one before.
    let mut bytes = std::fs::read("/usr/bin/true").expect("a program of this system");
    bytes.extend(std::process::id().to_le_bytes());
    shop.write_program(&bytes);
    let request = shop.request();
    let role = shop.role(&request).await;
    let (done, events) = shop
        .ensure(&request, &role, &shop.project(&[&role.reference]))
        .await;
    done.expect("it is built");
    assert_eq!(
        states(&events, &role.reference),
        [ImageState::Building, ImageState::Ready]
    );
    assert!(
        shop.inspect(&role.reference)
            .await
            .root_fs
            .and_then(|fs| fs.layers)
            .unwrap_or_default()
            .len()
            > 1
    );
    assert_eq!(shop.run(&role.reference).await, 0);
}

#[tokio::test]
async fn without_a_linux_program_the_image_of_the_version_is_pulled_or_the_reason_told() {
    let shop = Workshop::new().await;
    shop.write_program(b"\xcf\xfa\xed\xfe of another system");
    let request = shop.request();
    let role = shop.role(&request).await;
    assert_eq!(role.reference, "ghcr.io/oddessentials/odd:0.0.0-test");
    assert_eq!(role.source, ImageSource::Pull);
    let (done, _) = shop
        .ensure(&request, &role, &shop.project(&[&role.reference]))
        .await;
    let error = done.expect_err("there is no such version");
    assert!(
        matches!(&error, ImageError::NoRoleImage { source: Some(_), .. }),
        "{error:?}"
    );
    assert!(error.to_string().ends_with("is no Linux program"), "{error}");
    assert!(error.remedy().contains("--engine embedded"), "{}", error.remedy());
}

#[tokio::test]
async fn images_are_pulled_layer_by_layer_several_at_a_time() {
    let registry = Registry::start(Answer::Image).await;
    let shop = Workshop::new().await;
    let images = ["one", "two", "three"].map(|name| registry.reference(name));
    let project = shop.project(&images.each_ref().map(String::as_str));
    let (request, role) = other_role(&shop).await;

    let there = image::availability(&shop.engine.client, &project, &role, Duration::from_secs(5))
        .await
        .expect("an answer");
    assert_eq!((there.pull.len(), there.registry.clone()), (3, Some(Ok(()))));
    assert!(there.is_complete());

    let (done, events) = shop.ensure(&request, &role, &project).await;
    let layers = events
        .iter()
        .filter(|event| matches!(event, Event::Image { layer: Some(_), .. }))
        .count();
    let ids = futures::future::join_all(
        images
            .iter()
            .map(|reference| image::id(&shop.engine.client, reference)),
    )
    .await;
    for reference in &images {
        remove_images("reference", reference).await;
    }
    done.expect("they are pulled");
    assert!(layers > 0, "{events:?}");
    for (reference, id) in images.iter().zip(ids) {
        assert!(id.expect("an answer").is_some(), "{reference}");
        assert_eq!(
            states(&events, reference),
            [ImageState::Pulling, ImageState::Ready]
        );
    }
}

/// A role image that no service of the project runs.
async fn other_role(shop: &Workshop) -> (RoleRequest, RoleImage) {
    shop.write_program(b"no program");
    let request = shop.request();
    let role = shop.role(&request).await;
    (request, role)
}

async fn pull_error(reference: &str) -> ImageError {
    let shop = Workshop::new().await;
    let (request, role) = other_role(&shop).await;
    let project = shop.project(&[reference]);
    let there = image::availability(&shop.engine.client, &project, &role, Duration::from_secs(5))
        .await
        .expect("an answer");
    assert!(
        matches!(there.registry, Some(Err(_))) && !there.is_complete(),
        "{there:?}"
    );
    shop.ensure(&request, &role, &project)
        .await
        .0
        .expect_err("it cannot be pulled")
}

#[tokio::test]
async fn what_a_registry_refuses_is_told_apart() {
    let registry = Registry::start(Answer::Unknown).await;
    let error = pull_error(&registry.reference("x")).await;
    assert!(matches!(error, ImageError::NotFound { .. }), "{error:?}");

    let registry = Registry::start(Answer::Login).await;
    let error = pull_error(&registry.reference("x")).await;
    assert!(matches!(error, ImageError::Denied { .. }), "{error:?}");
    assert!(error.remedy().contains("docker login"), "{}", error.remedy());

    let registry = Registry::start(Answer::TooMany).await;
    let error = pull_error(&registry.reference("x")).await;
    assert!(matches!(error, ImageError::RateLimited { .. }), "{error:?}");
}

#[tokio::test]
async fn without_a_registry_the_offline_images_and_the_embedded_engine_are_offered() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let reference = format!("{}/t-b/x:1", listener.local_addr().expect("an address"));
    drop(listener);
    let error = pull_error(&reference).await;
    assert!(matches!(error, ImageError::NoRegistry { .. }), "{error:?}");
    for way in ["--offline", "--engine embedded"] {
        assert!(error.remedy().contains(way), "{}", error.remedy());
    }
}

#[tokio::test]
async fn a_registry_that_says_nothing_is_not_waited_for() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let reference = format!("{}/t-b/x:1", listener.local_addr().expect("an address"));
    let shop = Workshop::new().await;
    let (_, role) = other_role(&shop).await;
    let project = shop.project(&[&reference]);
    let begin = Instant::now();
    let there = image::availability(&shop.engine.client, &project, &role, Duration::from_secs(2))
        .await
        .expect("an answer");
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
    assert!(
        matches!(&there.registry, Some(Err(reason)) if reason.contains("does not answer")),
        "{there:?}"
    );
}

#[tokio::test]
async fn an_offline_image_that_the_script_does_not_know_is_told_with_what_it_says() {
    let shop = Workshop::new().await;
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../compose/images");
    let images = shop.folder.path().join("images");
    std::fs::create_dir_all(images.join("unheard")).expect("a folder");
    std::fs::write(images.join("unheard/Dockerfile"), "FROM scratch\n").expect("a file");
    std::os::unix::fs::symlink(recipes.join("base"), images.join("base")).expect("a link");
    let project = shop.project(&["odd-offline/unheard:latest"]);
    let reference = project.services["s0"].image.clone();
    assert!(
        reference.starts_with("odd-offline/unheard:") && !reference.ends_with(":latest"),
        "{reference}"
    );
    let (request, role) = other_role(&shop).await;
    let (done, events) = shop.ensure(&request, &role, &project).await;
    let error = done.expect_err("it cannot be built");
    assert!(
        matches!(&error, ImageError::OfflineMissing { missing, .. } if *missing == [reference.clone()]),
        "{error:?}"
    );
    assert!(error.to_string().contains("there is no image unheard"), "{error}");
    assert!(!error.log().is_empty() && error.remedy().contains("scripts/images.sh"));
    assert_eq!(states(&events, &reference), [ImageState::Building]);
}
