import Domain
import Logging
import ServiceLifecycle
import UnixSignals

/// One part of the daemon that a reload changes, in two steps, so that a reload happens whole or
/// not at all.
struct Reloadable: Sendable {
    /// Looks at what is new, reads what it names, and throws when it cannot be; changes nothing
    /// yet. What it returns makes the change, and cannot fail.
    let prepare: @Sendable (Configuration) throws -> @Sendable () -> Void
}

extension Appliance {
    /// Everything that a reload changes, in this order. A file that is read at start and may be
    /// renewed on disk belongs here too.
    var reloadables: [Reloadable] {
        [
            Reloadable { configuration in
                let next = Settings(configuration)
                return { self.settings.replace(with: next) }
            },
            Reloadable { configuration in
                let level = configuration.logLevel
                return { LogThreshold.shared.set(level) }
            },
        ]
            + (tls.map { files in [Reloadable { _ in try files.prepare(at: self.clock.now()) }] }
                ?? [])
    }

    /// Takes over what can be taken over of a configuration that was read again.
    ///
    /// - Throws: whatever makes it unusable; nothing has changed then.
    func reload(
        _ new: Configuration, parts: [Reloadable]? = nil
    ) throws -> ConfigurationChange {
        let change = ConfigurationChange(from: configuration, to: new)
        let commits = try (parts ?? reloadables).map { try $0.prepare(change.result) }
        for commit in commits { commit() }
        return change
    }
}

/// Reads the configuration again at each SIGHUP.
struct Reloader: Service {
    let appliance: Appliance
    let notifier: ServiceNotifier
    /// Made before the service manager hears that the daemon is ready: an unhandled SIGHUP ends it.
    let signals: UnixSignalsSequence
    /// What the service manager shows when all is well.
    let status: @Sendable () -> String
    let read: @Sendable () throws -> Configuration

    func run() async throws {
        for await _ in signals.cancelOnGracefulShutdown() {
            notifier.reloading()
            notifier.ready(reload() ?? status())
        }
    }

    /// Nil when it went well, else what to show.
    private func reload() -> String? {
        let logger = appliance.logger
        do {
            let change = try appliance.reload(try read())
            logger.notice(
                "configuration reloaded", metadata: ["changed": "\(Self.list(change.changed))"])
            if !change.needsRestart.isEmpty {
                logger.warning(
                    "some changes wait for a restart",
                    metadata: ["keys": "\(Self.list(change.needsRestart))"])
            }
            return nil
        } catch {
            let cause = CommandRefusal(error)?.line ?? "\(error)"
            logger.error("reload refused; nothing has changed", metadata: ["cause": "\(cause)"])
            return "Reload refused: \(cause)"
        }
    }

    private static func list(_ keys: [String]) -> String {
        keys.isEmpty ? "nothing" : keys.joined(separator: ", ")
    }
}
