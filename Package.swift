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
    targets: [
        .target(name: "Domain", swiftSettings: house),
        // What tests of every room use: a fake clock, seeded randomness, a folder of their own.
        .target(
            name: "Support", dependencies: ["Domain"], path: "Tests/Support",
            swiftSettings: house),
        .testTarget(
            name: "DomainTests", dependencies: ["Domain", "Support"], swiftSettings: house),
    ]
)
