import Testing

@Suite("Scan")
struct ScanTests {
    private func code(_ source: String) -> String { Scan(source).code.joined(separator: "\n") }

    @Test("Comments are no code, nested ones included")
    func comments() {
        let scan = Scan("a // b\nc /* d /* e */ f */ g")
        #expect(scan.code == ["a     ", "c" + String(repeating: " ", count: 19) + "g"])
        #expect(scan.comments == ["  // b", "  /* d /* e */ f */  "])
    }

    @Test(
        "A text's content is no code, whatever its quotes",
        arguments: [
            #"f("x{") + g"#, #"f("\"{") + g"#, ##"f(#"x"{"#) + g"##, ##"f(#"""#) + g"##,
            "f(\"\"\"\n  x\" {\n  \"\"\") + g", "f(#\"\"\"\n  \"\"\" {\n  \"\"\"#) + g",
            #"f("// {") + g"#, "f(/x{\"/) + g", "f(#/x{\"/#) + g", "`x{ y`() + g",
        ])
    func texts(source: String) {
        let code = code(source)
        #expect(!code.contains("{"))
        #expect(!code.contains("x"))
        #expect(code.hasSuffix(") + g"))
    }

    @Test("What is interpolated is code, texts inside it are not")
    func interpolation() {
        let scan = Scan(#"a("b \(c("d \(e)") ?? (f)) g") + h"#)
        let words = scan.code.joined().split { !$0.isLetter }.map(String.init)
        #expect(words == ["a", "c", "e", "f", "h"])
        #expect(scan.text.joined().split { !$0.isLetter }.map(String.init) == ["b", "d", "g"])
    }

    @Test("In a raw text only an escape with hashes interpolates")
    func rawInterpolation() {
        let words = code(##"f(#"\(a) \#(b)"#)"##).split { !$0.isLetter }.map(String.init)
        #expect(words == ["f", "b"])
    }

    @Test("A slash that divides begins no regex")
    func division() {
        #expect(code("a = b / c + \"d\" / e") == "a = b / c + \" \" / e")
        #expect(code("x /= 2; y = z/2 + w/3") == "x /= 2; y = z/2 + w/3")
    }

    @Test("Line numbers are those of the file")
    func lineNumbers() {
        let scan = Scan("a\n\"\"\"\n  b\n  \"\"\"\n/*\n*/\nc\n")
        #expect(scan.code.count == 8)
        #expect(scan.code[6] == "c")
        #expect(scan.text[2].hasSuffix("b"))
    }

    @Test("A source that ends in the midst of a text or a comment is read to its end")
    func unfinished() {
        let sources = [
            "\"", "\"\"\"\n", "#\"", "/*", "/* */ /", "\"\\(", "`a", "\"\\", "#", "= /a",
        ]
        for source in sources {
            #expect(Scan(source).code.count == source.count { $0 == "\n" } + 1)
        }
    }
}

@Suite("Functions")
struct FunctionsTests {
    private func spans(_ source: String) -> [FunctionSpan] { FunctionSpan.all(in: Scan(source)) }

    @Test("A function is measured from its keyword to its closing brace")
    func measured() {
        let source = "@Test\nfunc a(\n    b: Int = c { 1 }\n) -> Int\nwhere D: E {\n    \"}\"\n}\n"
        #expect(spans(source) == [FunctionSpan(name: "a", line: 2, lines: 6)])
    }

    @Test("A function inside another counts for both")
    func nested() {
        let source = "func a() {\n    func b() {\n        if c {}\n    }\n}"
        #expect(
            spans(source) == [
                FunctionSpan(name: "a", line: 1, lines: 5),
                FunctionSpan(name: "b", line: 2, lines: 3),
            ])
    }

    @Test("A requirement of a protocol has no body")
    func requirements() {
        let source = """
            protocol P {
                func a() -> Int
                func b()
                var c: Int { get }
            }
            func d() {}
            """
        #expect(spans(source).map(\.name) == ["c", "d"])
    }

    @Test("Initializers, subscripts and computed properties count; calls and values do not")
    func kinds() {
        let source = """
            init(a: Int) { self.init() }
            init?(b: Int) { x = .init(1) }
            deinit { }
            subscript(c: Int) -> Int { 1 }
            var d: Int { 1 }
            var e = f { 2 }
            var g: Int
            static func == (a: A, b: A) -> Bool { true }
            """
        #expect(spans(source).map(\.name) == ["init", "init", "deinit", "subscript", "d", "=="])
    }
}
