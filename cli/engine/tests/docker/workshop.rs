//! What tests of images need: a program, what is built of it, and images that are older than the test.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use bollard::models::{ContainerCreateBody, ImageInspect};
use bollard::query_parameters::{
    CreateContainerOptions, ImportImageOptionsBuilder, ListContainersOptionsBuilder,
    ListImagesOptionsBuilder, RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder,
    StartContainerOptions, TagImageOptionsBuilder, WaitContainerOptions,
};
use futures::StreamExt;
use odd_engine::Home;
use odd_engine::compose::{self, LoadOptions, Project, Source};
use odd_engine::docker::image::{self, ImageError, RoleImage, RoleRequest};
use odd_engine::docker::{self, Engine, Event};

use crate::registry::image_archive;

/// Label of the images of roles: the program that they were built from.
const PROGRAM: &str = "odd.role-image.program";

/// What is built of one program. Dropping it removes the images.
pub(crate) struct Workshop {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) engine: Engine,
}

impl Workshop {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        std::fs::write(folder.path().join(".env"), "").expect("a file");
        Self {
            folder,
            engine: docker::connect().await.expect("a Docker engine"),
        }
    }

    pub(crate) fn program(&self) -> PathBuf {
        self.folder.path().join("odd")
    }

    pub(crate) fn write_program(&self, bytes: &[u8]) {
        std::fs::write(self.program(), bytes).expect("a file");
        std::fs::set_permissions(self.program(), std::fs::Permissions::from_mode(0o755))
            .expect("permissions");
    }

    /// A label of this workshop: whatever has it is removed in the end.
    pub(crate) fn own_label(&self) -> [String; 2] {
        [
            "odd.test.workshop".to_owned(),
            self.folder.path().display().to_string(),
        ]
    }

    /// Makes the image of the program be there, and tells its reference.
    pub(crate) async fn build(&self) -> String {
        let request = self.request();
        let role = self.role(&request).await;
        let project = self.project(&[&role.reference]);
        let (done, _) = self.ensure(&request, &role, &project).await;
        done.expect("it is built");
        role.reference
    }

    /// Whether there is an image of this name.
    pub(crate) async fn has(&self, reference: &str) -> bool {
        let found = image::id(&self.engine.client, reference).await;
        found.expect("an answer").is_some()
    }

    /// Puts an image into the engine, with a file in it, that was made long ago.
    pub(crate) async fn load_old(&self, reference: &str, program: &str) {
        let [name, value] = self.own_label();
        let labels = HashMap::from([(PROGRAM.to_owned(), program.to_owned()), (name, value)]);
        let archive = image_archive(reference, "2020-01-01T00:00:00Z", &labels);
        let options = ImportImageOptionsBuilder::new().quiet(true).build();
        let body = bollard::body_full(archive.into());
        let loaded: Vec<_> = self
            .engine
            .client
            .import_image(options, body, None)
            .collect()
            .await;
        for said in loaded {
            said.expect("it is loaded");
        }
    }

    /// Gives an image another name beside its own.
    pub(crate) async fn tag(&self, reference: &str, other: &str) {
        let (repository, tag) = other.rsplit_once(':').expect("a name and a tag");
        let options = TagImageOptionsBuilder::new().repo(repository).tag(tag).build();
        let tagged = self.engine.client.tag_image(reference, Some(options)).await;
        tagged.expect("it has another name");
    }

    /// A container of an image, which is not started.
    pub(crate) async fn create(&self, reference: &str) -> String {
        let body = ContainerCreateBody {
            image: Some(reference.to_owned()),
            ..ContainerCreateBody::default()
        };
        let created = self
            .engine
            .client
            .create_container(None::<CreateContainerOptions>, body)
            .await;
        created.expect("a container").id
    }

    pub(crate) async fn remove(&self, container: &str) {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        let removed = self
            .engine
            .client
            .remove_container(container, Some(options))
            .await;
        removed.expect("it is removed");
    }

    pub(crate) fn request(&self) -> RoleRequest {
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

    pub(crate) fn source(&self) -> Source {
        Source::Directory(self.folder.path().to_owned())
    }

    /// A project with one service of each of these images.
    pub(crate) fn project(&self, images: &[&str]) -> Project {
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

    pub(crate) async fn role(&self, request: &RoleRequest) -> RoleImage {
        image::role(&self.engine.client, request)
            .await
            .expect("it is known which image it is")
    }

    /// Makes every image of the project be there.
    pub(crate) async fn ensure(
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

    pub(crate) async fn inspect(&self, reference: &str) -> ImageInspect {
        self.engine
            .client
            .inspect_image(reference)
            .await
            .expect("the image is there")
    }

    /// Exit code of a container of the image.
    pub(crate) async fn run(&self, reference: &str) -> i64 {
        let client = &self.engine.client;
        let id = self.create(reference).await;
        let started = client.start_container(&id, None::<StartContainerOptions>).await;
        let ended = client
            .wait_container(&id, None::<WaitContainerOptions>)
            .next()
            .await;
        self.remove(&id).await;
        started.expect("it starts");
        ended.expect("it ends").expect("with exit code 0").status_code
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        let labels = [
            format!("{PROGRAM}={}", self.program().display()),
            self.own_label().join("="),
        ];
        let removing = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                for label in labels {
                    remove_containers(&label).await;
                    remove_images("label", &label).await;
                }
            });
        });
        removing.join().expect("images are removed");
    }
}

/// Removes every container with a label, also those of images that have it.
async fn remove_containers(label: &str) {
    let client = docker::connect().await.expect("a Docker engine").client;
    let filters = HashMap::from([("label".to_owned(), vec![label.to_owned()])]);
    let options = ListContainersOptionsBuilder::new()
        .all(true)
        .filters(&filters)
        .build();
    let containers = client.list_containers(Some(options)).await.expect("containers");
    for id in containers.into_iter().filter_map(|container| container.id) {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        // Two tests may end at the same time.
        let _ = client.remove_container(&id, Some(options)).await;
    }
}

/// Removes the images that a filter finds.
pub(crate) async fn remove_images(filter: &str, value: &str) {
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
pub(crate) fn tiny(padding: u8) -> Vec<u8> {
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
