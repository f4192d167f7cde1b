//! A reconcile that finds nothing to do writes nothing, and neither does a restart.

mod world;

use tests::{Failure, Observation, eventually};
use world::{Outside, Values, World};

#[tokio::test]
async fn what_has_not_changed_is_not_written() -> Result<(), Failure> {
    let outside = Outside::set(Values::default()).await?;
    let world = World::set(&outside).await?;
    let mut controller = world.builder.start().await?;
    world.deliver(&outside).await?;
    quiet_for_a_while(&outside, &world, "after everything was applied").await?;

    let status = controller.terminate().await?;
    assert!(
        status.success(),
        "it ended with {status}: {}",
        controller.log()?
    );
    world.proxy.forget();
    let _controller = world.builder.start().await?;
    looked(&outside, 3).await?;
    only_refresh_times(&world, "after a restart")
}

#[tokio::test]
async fn the_lease_is_given_back_at_the_end() -> Result<(), Failure> {
    let outside = Outside::set(Values::default()).await?;
    let world = World::set(&outside).await?;
    let mut first = world.builder.start().await?;
    world.deliver(&outside).await?;
    first.terminate().await?;
    let started = std::time::Instant::now();
    let second = world.builder.start().await?;
    let gone = tests::Coordinates::secret(world::APPLICATION, "db-creds");
    world.cluster.delete(&gone).await?;
    eventually("the Secret that was deleted", async || {
        Ok(Observation::of(world.cluster.get(&gone).await?, || {
            String::from("none")
        }))
    })
    .await?;
    let took = started.elapsed().as_secs();
    assert!(
        took < 8,
        "the Lease was waited for: {took} s\n{}",
        second.log()?
    );
    Ok(())
}

/// Whatever was under way comes to rest, then several looks at everything find nothing to write.
async fn quiet_for_a_while(outside: &Outside, world: &World, when: &str) -> Result<(), Failure> {
    eventually(&format!("quiet {when}"), async || {
        world.proxy.forget();
        looked(outside, 3).await?;
        let told = only_refresh_times(world, when).err();
        Ok(Observation::when(told.is_none(), || {
            told.map(|failure| failure.message().to_owned())
                .unwrap_or_default()
        }))
    })
    .await
}

/// Waits until Git and AWS were each asked again a number of times.
async fn looked(outside: &Outside, times: usize) -> Result<(), Failure> {
    let counts = || (outside.git.requests().len(), outside.aws.calls().len());
    let before = counts();
    eventually("further looks at Git and AWS", async || {
        let now = counts();
        let enough = now.0 >= before.0 + times && now.1 >= before.1 + times;
        Ok(Observation::when(enough, || {
            format!("{} and {}", now.0 - before.0, now.1 - before.1)
        }))
    })
    .await
}

/// The status of the ExternalSecret tells users when it was refreshed; nothing else moves.
fn only_refresh_times(world: &World, when: &str) -> Result<(), Failure> {
    let mut changes = world.proxy.changes();
    changes.retain(|write| write.resource != "externalsecrets/status");
    if changes.is_empty() {
        return Ok(());
    }
    let told: Vec<String> = changes.iter().map(ToString::to_string).collect();
    Err(Failure::new(format!(
        "written {when}:\n{}",
        told.join("\n")
    )))
}
