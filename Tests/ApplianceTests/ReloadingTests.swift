import Domain
import Testing

@testable import Appliance

@Suite("Reloading")
struct ReloadingTests {
    @Test("every key that is said to be reloadable is one")
    func names() {
        let names = Set(ConfigurationKey.all.map(\.name))
        #expect(ConfigurationKey.reloadable.subtracting(names).isEmpty)
    }

    @Test("a change takes over what is reloadable and names the rest")
    func change() {
        let running = Configuration()
        var new = running
        new.log.level = "debug"
        new.server.trustedProxies = [Network("10.0.0.0/8")].compactMap { $0 }
        new.backup.keyFile = "/etc/key"
        new.store.readers = 9
        new.auth.algorithm = .es256
        let change = ConfigurationChange(from: running, to: new)
        #expect(change.changed == ["server.trusted_proxies", "backup.key_file", "log.level"])
        #expect(change.needsRestart == ["store.readers", "auth.algorithm"])
        var expected = running
        expected.log.level = "debug"
        expected.server.trustedProxies = new.server.trustedProxies
        expected.backup.keyFile = "/etc/key"
        #expect(change.result == expected)
    }

    @Test("what is as it was changes nothing")
    func nothing() {
        let change = ConfigurationChange(from: Configuration(), to: Configuration())
        #expect(change.changed.isEmpty && change.needsRestart.isEmpty)
        #expect(change.result == Configuration())
    }

    @Test("a reload of which one part refuses changes no part")
    func allOrNothing() async throws {
        try await TestServer.run { server in
            var new = server.appliance.configuration
            new.server.allowedHosts = ["other.example"]
            new.log.level = "error"
            struct Refused: Error {}
            let refusing = Reloadable { _ in throw Refused() }
            #expect(throws: Refused.self) {
                _ = try server.appliance.reload(
                    new, parts: server.appliance.reloadables + [refusing])
            }
            #expect(server.appliance.configuration.server.allowedHosts.isEmpty)
            _ = try server.appliance.reload(new)
            #expect(server.appliance.configuration.server.allowedHosts == ["other.example"])
            LogThreshold.shared.set(.info)
        }
    }
}
