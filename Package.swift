// swift-tools-version: 6.2
import PackageDescription

// Domain ← Store ← Appliance, never back. With GATEHOUSE_ROOMS=core the package is Domain and Store
// alone: their tests then build without the HTTP stack (`make test-core`).
let coreOnly = Context.environment["GATEHOUSE_ROOMS"] == "core"

let house: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
]

let package = Package(
    name: "gatehouse",
    products: [],
    dependencies: [
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2")
    ],
    targets: [
        .systemLibrary(
            name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(
            name: "CPostgres", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CLinux"),
        .target(name: "Domain", swiftSettings: house),
        .target(
            name: "Store",
            dependencies: [
                "Domain", "CSQLite", "CPostgres", "CLinux",
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: house),
        // What tests of every room use: a fake clock, seeded randomness, a folder of their own, a
        // database.
        .target(
            name: "Support", dependencies: ["Domain", "Store"], path: "Tests/Support",
            swiftSettings: house),
        .testTarget(
            name: "DomainTests", dependencies: ["Domain", "Support"], swiftSettings: house),
        .testTarget(
            name: "StoreTests", dependencies: ["Domain", "Store", "CSQLite", "Support"],
            exclude: ["Schema/Released"],
            swiftSettings: house),
        .testTarget(name: "HouseTests", swiftSettings: house),
    ]
)

if !coreOnly {
    package.products += [.executable(name: "gatehouse", targets: ["Appliance"])]
    package.dependencies += [
        // Without its default traits: one of them links all of Foundation, 30 MB of ICU data.
        .package(
            url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.1",
            traits: []),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras.git", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
        .package(
            url: "https://github.com/apple/swift-http-types.git", from: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        .package(
            url: "https://github.com/apple/swift-distributed-tracing.git", from: "1.7.3"),
        .package(
            url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
    ]
    package.targets += [
        .systemLibrary(
            name: "CArgon2", pkgConfig: "libargon2", providers: [.apt(["libargon2-dev"])]),
        .systemLibrary(name: "CZxcvbn", providers: [.apt(["libzxcvbn-dev"])]),
        .systemLibrary(
            name: "CIDN2", pkgConfig: "libidn2", providers: [.apt(["libidn2-dev"])]),
        .systemLibrary(
            name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        // What browsers load; empty until tools/web-assets has run.
        .target(name: "CAssets"),
        .executableTarget(
            name: "Appliance",
            dependencies: [
                "Domain", "Store", "CLinux", "CArgon2", "CZxcvbn", "CIDN2", "CYAML", "CAssets",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: house),
        .testTarget(
            name: "ApplianceTests",
            dependencies: [
                "Appliance", "Domain", "Store", "Support",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: house),
    ]
}

// What a decision costs, measured without the HTTP stack.
if coreOnly {
    package.targets += [
        .target(name: "CAllocations", path: "Benchmarks/Admit/CAllocations"),
        .executableTarget(
            name: "AdmitBenchmark", dependencies: ["Domain", "CAllocations"],
            path: "Benchmarks/Admit/Bench", swiftSettings: house),
    ]
}
