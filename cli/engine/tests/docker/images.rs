//! Images on a real Docker engine: built from a program, pulled from a registry of this test, and what is said of those that are not to be had.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bollard::models::{ContainerCreateBody, ImageInspect};
use bollard::query_parameters::{
    CreateContainerOptions, ListImagesOptionsBuilder, RemoveContainerOptionsBuilder,
    RemoveImageOptionsBuilder, StartContainerOptions, WaitContainerOptions,
};
use futures::StreamExt;
use odd_engine::Home;
use odd_engine::compose::{self, LoadOptions, Project, Source};
use odd_engine::docker::image::{self, ImageError, RoleImage, RoleRequest};
use odd_engine::docker::{self, Engine, Event, ImageSource, ImageState};

use crate::registry::{Answer, Registry};

/// What is built of one program. Dropping it removes the images.
struct Workshop {
    folder: tempfile::TempDir,
    engine: Engine,
}

impl Workshop {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        std::fs::write(folder.path().join(".env"), "").expect("a file");
        Self {
            folder,
            engine: docker::connect().await.expect("a Docker engine"),
        }
    }

    fn program(&self) -> PathBuf {
        self.folder.path().join("odd")
    }

    fn write_program(&self, bytes: &[u8]) {
        std::fs::write(self.program(), bytes).expect("a file");
        std::fs::set_permissions(self.program(), std::fs::Permissions::from_mode(0o755))
            .expect("permissions");
    }

    fn request(&self) -> RoleRequest {
        RoleRequest {
            program: self.program(),
            version: "0.0.0-test".to_owned(),
            commit: Some("c0ffee".to_owned()),
            home: Home::at(self.folder.path().join("home")),
            project_dir: None,
            offline: true,
            build: false,
            docker_host: self.engine.info.address.clone(),
        }
    }

    fn source(&self) -> Source {
        Source::Directory(self.folder.path().to_owned())
    }

    /// A project with one service of each of these images.
    fn project(&self, images: &[&str]) -> Project {
        let services = images
            .iter()
            .enumerate()
            .map(|(number, image)| format!("  s{number}: {{image: '{image}'}}\n"));
        let text = format!("services:\n{}", services.collect::<String>());
        std::fs::write(self.folder.path().join("compose.yaml"), text).expect("a file");
        let options = LoadOptions {
            project: "odd-t-b".to_owned(),
            ..LoadOptions::default()
        };
        compose::load(&self.source(), &options).expect("a project")
    }

    async fn role(&self, request: &RoleRequest) -> RoleImage {
        image::role(&self.engine.client, request)
            .await
            .expect("it is known which image it is")
    }

    /// Makes every image of the project be there.
    async fn ensure(
        &self,
        request: &RoleRequest,
        role: &RoleImage,
        project: &Project,
    ) -> (Result<(), ImageError>, Vec<Event>) {
        let client = &self.engine.client;
        let steps = image::resolve(client, project, role).await.expect("the steps");
        let mut events = Vec::new();
        let done = image::ensure(client, &self.source(), request, role, &steps, |event| {
            events.push(event)
        })
        .await;
        (done, events)
    }

    async fn inspect(&self, reference: &str) -> ImageInspect {
        self.engine
            .client
            .inspect_image(reference)
            .await
            .expect("the image is there")
    }

    /// Exit code of a container of the image.
    async fn run(&self, reference: &str) -> i64 {
        let client = &self.engine.client;
        let body = ContainerCreateBody {
            image: Some(reference.to_owned()),
            ..ContainerCreateBody::default()
        };
        let id = client
            .create_container(None::<CreateContainerOptions>, body)
            .await
            .expect("a container")
            .id;
        let started = client.start_container(&id, None::<StartContainerOptions>).await;
        let ended = client
            .wait_container(&id, None::<WaitContainerOptions>)
            .next()
            .await;
        let remove = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        client
            .remove_container(&id, Some(remove))
            .await
            .expect("it is removed");
        started.expect("it starts");
        ended.expect("it ends").expect("with exit code 0").status_code
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        let label = format!("odd.role-image.program={}", self.program().display());
        let removing = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(remove_images("label", &label));
        });
        removing.join().expect("images are removed");
    }
}

async fn remove_images(filter: &str, value: &str) {
    let client = docker::connect().await.expect("a Docker engine").client;
    let filters = HashMap::from([(filter.to_owned(), vec![value.to_owned()])]);
    let images = client
        .list_images(Some(ListImagesOptionsBuilder::new().filters(&filters).build()))
        .await
        .expect("images");
    for image in images {
        let options = RemoveImageOptionsBuilder::new().force(true).build();
        // Two tests may end at the same time.
        let _ = client.remove_image(&image.id, Some(options), None).await;
    }
}

/// The smallest program there is: it ends with exit code 0. `padding` makes others of it.
fn tiny(padding: u8) -> Vec<u8> {
    let (machine, code): (u8, &[u8]) = match std::env::consts::ARCH {
        // xor edi, edi; mov eax, 60; syscall
        "x86_64" => (0x3e, &[0x31, 0xff, 0xb8, 0x3c, 0, 0, 0, 0x0f, 0x05]),
        // mov x0, #0; mov x8, #93; svc #0
        "aarch64" => (0xb7, &[0, 0, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 1, 0, 0, 0xd4]),
        other => panic!("there is no tiny program for {other}"),
    };
    let entry = 0x40_0078_u64;
    let mut bytes = vec![
        0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, machine, 0, 1, 0, 0, 0,
    ];
    bytes.extend(entry.to_le_bytes());
    bytes.extend(64_u64.to_le_bytes());
    bytes.extend([0; 12]);
    for number in [64_u16, 56, 1, 0, 0, 0] {
        bytes.extend(number.to_le_bytes());
    }
    let length = (120 + code.len() + 1) as u64;
    bytes.extend([1, 0, 0, 0, 5, 0, 0, 0]);
    for number in [0, 0x40_0000, 0x40_0000, length, length, 0x1000] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(code);
    bytes.push(padding);
    bytes
}

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
async fn an_image_of_which_the_program_changed_is_kept_while_a_container_uses_it_or_it_is_young() {
    let shop = Workshop::new().await;
    let request = shop.request();
    let mut built = Vec::new();
    for padding in [4, 5] {
        shop.write_program(&tiny(padding));
        let role = shop.role(&request).await;
        shop.ensure(&request, &role, &shop.project(&[&role.reference]))
            .await
            .0
            .expect("it is built");
        built.push(role.reference);
    }
    // Another command may be about to make containers of the first.
    assert!(shop.inspect(&built[0]).await.id.is_some());
    assert!(shop.inspect(&built[1]).await.id.is_some());
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
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
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
