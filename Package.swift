// swift-tools-version: 6.2
import PackageDescription

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
        .systemLibrary(name: "CLinux"),
        .target(name: "Domain", swiftSettings: house),
        .target(
            name: "Store",
            dependencies: [
                "Domain", "CSQLite", "CLinux", .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: house),
        // What tests of every room use: a fake clock, seeded randomness, a folder of their own.
        .target(
            name: "Support", dependencies: ["Domain"], path: "Tests/Support",
            swiftSettings: house),
        .testTarget(
            name: "DomainTests", dependencies: ["Domain", "Support"], swiftSettings: house),
    ]
)
