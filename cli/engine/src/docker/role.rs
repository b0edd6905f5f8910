//! The image of the roles alone, for those who carry it elsewhere.

use super::image::{self, ImageError};
use super::plan::ImageStep;
use super::{DockerError, Event, UpOptions, connect};
use crate::error::EngineError;
use crate::instance::Instance;

/// Sees to it that the image of the roles is in the container engine, as for a start there, and returns its reference. With
/// `dry_run` it tells which one that would be, and does nothing.
///
/// # Errors
/// [`EngineError::Docker`] where there is no engine, or the image can neither be built nor pulled.
pub async fn role_image(
    instance: &Instance,
    options: &UpOptions,
    progress: impl FnMut(Event) + Send,
) -> Result<String, EngineError> {
    let failed = |error: ImageError| EngineError::from(DockerError::from(error));
    let engine = connect().await?;
    let request = options.role_request(instance, &engine.info.address);
    let role = image::role(&engine.client, &request).await.map_err(failed)?;
    if options.dry_run {
        return Ok(role.reference);
    }
    let step = ImageStep {
        reference: role.reference.clone(),
        source: role.source,
        services: Vec::new(),
    };
    let source = options.source();
    image::ensure(&engine.client, &source, &request, &role, &[step], progress)
        .await
        .map_err(failed)?;
    Ok(role.reference)
}
