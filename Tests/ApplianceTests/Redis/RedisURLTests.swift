import Domain
import Testing

@testable import Appliance

@Suite("Redis addresses")
struct RedisURLTests {
    @Test("host, port, database, user and password are read")
    func parts() throws {
        let plain = try #require(RedisURL("redis://cache"))
        #expect(plain.place == .host("cache", port: 6379))
        #expect(!plain.isSecure && plain.user == nil && plain.password == nil)
        #expect(plain.database == 0)
        let full = try #require(RedisURL("rediss://gate:a%40b%3Ac%2F@[::1]:7000/3"))
        #expect(full.place == .host("::1", port: 7000))
        #expect(full.isSecure && full.user == "gate" && full.database == 3)
        #expect(full.password?.text == "a@b:c/")
        let nameless = try #require(RedisURL("redis://:secret@10.0.0.1"))
        #expect(nameless.user == nil && nameless.password?.text == "secret")
        #expect(RedisURL("unix:/run/redis.sock")?.place == .socket("/run/redis.sock"))
    }

    @Test(
        "what is no address is refused",
        arguments: [
            "", "redis", "http://cache", "redis://", "redis://cache:0", "redis://cache:x",
            "redis://cache/x", "redis://cache/-1", "redis://cache/1/2", "redis://cache?db=1",
            "redis://a b", "unix:", "unix:redis.sock", "redis://::1",
        ])
    func refused(_ text: String) { #expect(RedisURL(text) == nil) }

    @Test("a password is never shown")
    func shown() {
        #expect(
            RedisURL("rediss://gate:secret@cache/3")?.description
                == "rediss://gate:••@cache:6379/3")
        #expect(RedisURL("redis://:secret@cache")?.description == "redis://:••@cache:6379")
        #expect(RedisURL("redis://cache")?.description == "redis://cache:6379")
        #expect(RedisURL("unix:/run/redis.sock")?.description == "unix:/run/redis.sock")
    }

    @Test("a Redis needs a store on PostgreSQL, one address for all nodes, and one password")
    func mistakes() throws {
        var configuration = Configuration()
        #expect(configuration.redisMistake == nil)
        configuration.redis.url = RedisURL("redis://:secret@cache")
        #expect(configuration.redisMistake?.contains("store.url is a file") == true)
        configuration.store.url = "postgres://gatehouse@db/gatehouse"
        #expect(configuration.redisMistake?.contains("server.public_url") == true)
        configuration.server.publicURL = "https://gate.example.com"
        #expect(configuration.redisMistake == nil)
        configuration.redis.passwordFile = "/etc/gatehouse/redis-password"
        #expect(configuration.redisMistake?.contains("in one of them") == true)
        configuration.redis.url = RedisURL("redis://gate@cache")
        #expect(configuration.redisMistake == nil)
        configuration.redis.passwordFile = nil
        #expect(configuration.redisMistake?.contains("expected a password") == true)
    }
}
