import Synchronization

/// What the daemon goes by right now, and what is made of it once rather than at each request. One
/// value that never changes: a request that has taken it sees one configuration throughout.
final class Settings: Sendable {
    let configuration: Configuration
    let clients: ClientAddresses
    let hosts: HostAllowList
    let metricsHosts: HostAllowList
    let logsAllRequests: Bool
    let logsFailures: Bool
    let isSecure: Bool

    init(_ configuration: Configuration) {
        self.configuration = configuration
        clients = ClientAddresses(trustedProxies: configuration.server.trustedProxies)
        hosts = HostAllowList(configuration)
        metricsHosts = HostAllowList(metrics: configuration)
        logsAllRequests = configuration.log.requests == "all"
        logsFailures = configuration.log.requests != "off"
        isSecure = configuration.isSecure
    }
}

/// Where the settings of the moment are; a reload replaces them whole. To take them is a lock and a
/// reference count.
final class LiveSettings: Sendable {
    private let value: Mutex<Settings>

    init(_ configuration: Configuration) { value = Mutex(Settings(configuration)) }

    var current: Settings { value.withLock { $0 } }

    func replace(with settings: Settings) { value.withLock { $0 = settings } }
}
