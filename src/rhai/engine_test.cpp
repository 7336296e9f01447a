#include "rhai/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rbee::rhai {
namespace {

using testing::HasSubstr;

struct Worker {
  Value id;
  std::int64_t vram = 0;
};

// An engine with a type of the host, which counts how often properties are read.
struct Host {
  explicit Host(Settings settings = {}) : engine(std::move(settings)) {
    HostType type;
    type.name = "worker";
    type.properties.push_back({"id", [](const void* w) { return static_cast<const Worker*>(w)->id; }});
    type.properties.push_back({"vram", [this](const void* w) {
                                 ++reads;
                                 return Value::integer(static_cast<const Worker*>(w)->vram);
                               }});
    worker_type = &engine.add_type(std::move(type));
  }
  Value worker(std::string_view id, std::int64_t vram) const {
    return Value::host(*worker_type, std::make_shared<Worker>(Worker{Value::string(id), vram}));
  }
  Engine engine;
  const HostType* worker_type = nullptr;
  int reads = 0;
};

// What the script gives, or the kind of its error and the sentence.
std::string result(std::string_view script, Settings settings = {}) {
  Engine engine(std::move(settings));
  const Compiled compiled = engine.compile(script);
  if (!compiled.ok()) return compiled.error.parse_kind + ": " + compiled.error.message;
  const Outcome outcome = engine.run(*compiled.program);
  return outcome.ok ? to_debug(outcome.value) : outcome.error.kind + ": " + outcome.error.message;
}

Settings limited() {
  Settings settings;
  settings.limits.operations = 100'000;
  settings.limits.string_bytes = 10'000;
  settings.limits.array_items = 1'000;
  settings.limits.map_items = 1'000;
  return settings;
}

TEST(Engine, CallsAFunctionByNameWithArguments) {
  Engine engine;
  const Compiled program = engine.compile("fn twice(x) { x * 2 }");
  ASSERT_TRUE(program.ok());
  const Value arguments[] = {Value::integer(21)};
  EXPECT_EQ(to_debug(engine.call(*program.program, "twice", arguments).value), "42");
}

TEST(Engine, SaysWhichFunctionIsMissingWhereTheScriptHasNone) {
  Engine engine;
  const Compiled program = engine.compile("fn route_request(a) { a }");
  ASSERT_TRUE(program.ok());
  const Value arguments[] = {Value::integer(1), Value::array()};
  const Outcome outcome = engine.call(*program.program, "route_request", arguments);
  EXPECT_EQ(outcome.error.kind, "ErrorFunctionNotFound");
  EXPECT_THAT(outcome.error.message, HasSubstr("route_request (i64, array)"));
}

TEST(Engine, ListsFunctionsWithTheirParameters) {
  Engine engine;
  const Compiled program = engine.compile("private fn a() {} fn route_request(request, workers) { () }");
  ASSERT_TRUE(program.ok());
  const std::vector<FunctionInfo> list = Engine::functions(*program.program);
  ASSERT_EQ(list.size(), 2U);
  EXPECT_TRUE(list[0].is_private);
  EXPECT_EQ(list[1].name, "route_request");
  EXPECT_THAT(list[1].parameters, testing::ElementsAre("request", "workers"));
}

TEST(Engine, FunctionsSeeConstantsOfAnEarlierRunOfTheirScript) {
  Engine engine;
  const Compiled program = engine.compile("const LIMIT = 7; fn limit() { global::LIMIT }");
  ASSERT_TRUE(program.ok());
  EXPECT_EQ(engine.call(*program.program, "limit", {}).error.kind, "ErrorVariableNotFound");
  ASSERT_TRUE(engine.run(*program.program).ok);
  EXPECT_EQ(to_debug(engine.call(*program.program, "limit", {}).value), "7");
}

TEST(Engine, AScopeIsReadAndLeftAsTheScriptLeavesIt) {
  Engine engine;
  Scope scope;
  scope.set("x", Value::integer(1));
  const Compiled program = engine.compile("x += 1; let y = x * 10; y", scope);
  ASSERT_TRUE(program.ok());
  const Outcome outcome = engine.run(*program.program, scope);
  EXPECT_EQ(to_debug(outcome.value), "20");
  EXPECT_EQ(to_debug(*scope.find("x")), "2");
  EXPECT_EQ(to_debug(*scope.find("y")), "20");
}

TEST(Engine, AConstantOfTheScopeCannotBeChanged) {
  Engine engine;
  Scope scope;
  scope.set("limit", Value::array(), true);
  EXPECT_EQ(engine.compile("limit = 2", scope).error.parse_kind, "AssignmentToConstant");
  const Compiled program = engine.compile("limit.push(1)", scope);
  ASSERT_TRUE(program.ok());
  EXPECT_EQ(engine.run(*program.program, scope).error.kind, "ErrorNonPureMethodCallOnConstant");
}

TEST(Methods, ChangeThePartThatTheyAreCalledOn) {
  const std::string inc = "fn inc() { this += 1; } ";
  EXPECT_EQ(result(inc + "fn step() { this.n.inc(); } let m = #{n: 1}; m.step(); m.n"), "2");
  EXPECT_EQ(result("fn get() { this + 1 } fn look() { this.n.get() } let m = #{n: 1}; m.look()"), "2");
  EXPECT_EQ(result(inc + "let x = #{k: [1]}; let read = || x.k[0]; x.k[0].inc(); read.call()"), "2");
  EXPECT_EQ(result(inc + "eval(\"let q = #{n: 1};\"); q.n.inc(); q.n"), "2");
  EXPECT_EQ(result(inc + "let z = #{n: 1}; eval(\"z.n.inc();\"); z.n"), "2");
  EXPECT_EQ(result("let o = #{c: #{n: 1, inc: || { this.n += 1; }}, run: || this.c.inc()}; o.run(); o.c.n"),
            "2");
  // While it works the variable is still its own alone.
  EXPECT_THAT(result("let x = #{k: 1}; let read = || x.k; x.k.call(|| this + read.call())"),
              HasSubstr("ErrorDataRace"));
}

TEST(Methods, ThatFailLeaveWhatTheyHaveDone) {
  const std::string boom = "fn boom() { this = 5; throw 1; } fn deep() { this.n.boom(); } ";
  EXPECT_EQ(result(boom + "let y = 1; try { y.boom(); } catch { } y"), "5");
  EXPECT_EQ(result(boom + "let z = #{n: 1}; try { z.n.boom(); } catch { } z.n"), "5");
  EXPECT_EQ(result(boom + "let z = [#{n: 1}]; try { z[0].deep(); } catch { } z[0].n"), "5");
  EXPECT_THAT(result("fn grow() { this.pad(900, 'x'); throw 1; } let z = #{s: \"\", t: \"\"}; "
                     "z.t.pad(9500, 'x'); try { z.s.grow(); } catch { } 1",
                     limited()),
              HasSubstr("ErrorDataTooLarge"));
}

TEST(HostObjects, AreReadInPlaceAndOnlyWhatIsAskedFor) {
  Host host;
  const Compiled program = host.engine.compile("fn big(ws) { ws.filter(|w| w.vram > 40).map(|w| w.id) }");
  ASSERT_TRUE(program.ok());
  const Value arguments[] = {Value::array({host.worker("a", 24), host.worker("b", 80)})};
  EXPECT_EQ(to_debug(host.engine.call(*program.program, "big", arguments).value), R"(["b"])");
  EXPECT_EQ(host.reads, 2);
}

TEST(HostObjects, AnUnknownPropertyIsAnErrorThatNamesTheNearest) {
  Host host;
  const Compiled program = host.engine.compile("fn f(w) { w.vramm }");
  ASSERT_TRUE(program.ok());
  const Value arguments[] = {host.worker("a", 24)};
  const Outcome outcome = host.engine.call(*program.program, "f", arguments);
  EXPECT_EQ(outcome.error.kind, "ErrorDotExpr");
  EXPECT_THAT(outcome.error.message, HasSubstr("vramm"));
  EXPECT_THAT(outcome.error.message, HasSubstr("'vram'"));
}

TEST(HostObjects, BecomeMapsOfTheScriptWhereItWritesToThem) {
  Host host;
  const Compiled program =
      host.engine.compile("fn f(w) { let copy = w; copy.vram += 1; [w.vram, copy.vram, type_of(copy)] }");
  ASSERT_TRUE(program.ok());
  const Value arguments[] = {host.worker("a", 24)};
  EXPECT_EQ(to_debug(host.engine.call(*program.program, "f", arguments).value), R"([24, 25, "map"])");
}

TEST(HostFunctions, AreCalledByTheTypesOfTheirArguments) {
  Engine engine;
  engine.add_function("half", {mask(Type::integer)},
                      [](NativeCall& call) { return call.give(Value::integer(call[0].as_int() / 2)); });
  engine.add_function("half", {mask(Type::string)},
                      [](NativeCall& call) { return call.fail(ErrorKind::arithmetic, "no half of a text"); });
  const Compiled good = engine.compile("half(8) + 9.half()");
  EXPECT_EQ(to_debug(engine.run(*good.program).value), "8");
  const Compiled bad = engine.compile("half(\"x\")");
  EXPECT_EQ(engine.run(*bad.program).error.message, "no half of a text");
  const Compiled none = engine.compile("half(true)");
  EXPECT_EQ(engine.run(*none.program).error.message, "Function not found: half (bool)");
}

TEST(Sinks, GetWhatPrintAndDebugSay) {
  std::vector<std::string> lines;
  Settings settings;
  settings.print = [&lines](std::string_view text) { lines.emplace_back(text); };
  settings.debug = [&lines](std::string_view text, Position at) {
    lines.push_back(std::to_string(at.line) + ": " + std::string(text));
  };
  result("print(\"a\");\ndebug(\"b\");", settings);
  EXPECT_THAT(lines, testing::ElementsAre("a", "2: \"b\""));
}

TEST(Time, IsWhatTheHostSays) {
  Settings settings;
  std::int64_t now = 0;
  settings.now_us = [&now] { return now += 1'500'000; };
  EXPECT_EQ(result("let t = timestamp(); t.elapsed", settings), "1.5");
  EXPECT_EQ(result("timestamp().elapsed"), "0.0");
}

TEST(Errors, ShowTheLineWithACaretAndTheCalls) {
  Engine engine;
  const Compiled program =
      engine.compile("fn inner(x) {\n  x / 0\n}\nfn outer() { inner(1) }\nouter()", {}, "routing.rhai");
  ASSERT_TRUE(program.ok());
  const Outcome outcome = engine.run(*program.program);
  EXPECT_EQ(outcome.error.text,
            "ErrorArithmetic: Division by zero: 1 / 0\n"
            "  --> routing.rhai:2:5\n"
            "  |   x / 0\n"
            "  |     ^\n"
            "in call to function 'inner' (line 4, position 14)\n"
            "in call to function 'outer' (line 5, position 1)");
}

TEST(Errors, OfSyntaxShowTheirLineToo) {
  Engine engine;
  EXPECT_EQ(engine.compile("let x = 1;\nlet = 2;", {}, "a.rhai").error.text,
            "ErrorParsing: Expecting name of a variable\n"
            "  --> a.rhai:2:5\n"
            "  | let = 2;\n"
            "  |     ^");
}

TEST(Limits, EndlessLoopsEnd) {
  for (const char* script :
       {"loop { }", "while true { }", "for i in 0..9223372036854775807 { }",
        "let x = 0; do { x += 1 } while true;", "[1].map(|x| { loop { } })", "fn f() { loop { } } f()"}) {
    EXPECT_THAT(result(script, limited()), HasSubstr("ErrorTooManyOperations")) << script;
  }
}

TEST(Limits, WorkOfCallbacksIsBoundedThoughItIsNotCounted) {
  EXPECT_THAT(result("let a = []; a.pad(1000, 1); a.map(|x| a.map(|y| a.map(|z| 1)))", limited()),
              testing::AnyOf(HasSubstr("ErrorTooManyOperations"), HasSubstr("ErrorDataRace")));
  EXPECT_THAT(result("let a = []; a.pad(1000, 1); let b = a; let c = a; a.map(|x| { b.map(|y| { c.map(|z| "
                     "1); 1 }); 1 })",
                     limited()),
              HasSubstr("ErrorTooManyOperations"));
}

TEST(Limits, EndlessRecursionEnds) {
  for (const char* script : {"fn f() { f() } f()", "fn f(x) { [x].map(|y| f(y)) } f(1)",
                             "let f = Fn(\"g\"); fn g(h) { h.call(h) } f.call(f)",
                             "fn f(s) { eval(s) } f(\"f(s)\")", "fn m() { this.m() } 1.m()"}) {
    EXPECT_THAT(result(script, limited()), HasSubstr("ErrorStackOverflow")) << script;
  }
  Settings deep;
  deep.limits.call_levels = 1'000'000;
  deep.limits.operations = 10'000'000;
  EXPECT_THAT(result("fn f(x) { [x].map(|y| f(y)) } f(1)", deep), HasSubstr("ErrorStackOverflow"));
  EXPECT_THAT(result("fn f(x) { 1 + f(x + 1) } f(1)", deep), HasSubstr("ErrorStackOverflow"));
}

TEST(Limits, WhatGrowsWithoutEndIsStopped) {
  for (const char* script :
       {"let s = \"a\"; loop { s += s; }", "let a = [1]; loop { a += a; }", "let a = []; loop { a.push(a); }",
        "let m = #{}; let i = 0; loop { m[`k${i}`] = i; i += 1; }", "let b = blob(); loop { b.push(1); }",
        "let s = \"\"; s.pad(1000000000000, 'x')", "let a = []; a.pad(1000000000000, 0)",
        "blob(1000000000000)", "let s = \"aa\"; loop { s.replace(\"a\", \"aa\"); }",
        "let a = [1]; loop { a = [a, a]; }"}) {
    EXPECT_THAT(result(script, limited()), HasSubstr("ErrorDataTooLarge")) << script;
  }
}

TEST(Limits, WhatIsHeldCountsWhereverItIsHeld) {
  const std::string base = "let base = \"\"; base.pad(9000, 'x'); let a = []; ";
  for (const char* script : {
           "for i in 0..10 { a.push(Fn(\"q\").curry(base + i)); }",
           "let f = || 0; for i in 0..10 { let s = base + i; let g = f; f = || s.len() + g.call(); }",
           "for i in 0..200 { let s = base + i; let f = (); f = || { s.len(); f }; }",
           "let m = #{}; for i in 0..10 { m[base + i] = 1; }",
           "for i in 0..10 { a.push(Fn(base + i)); }",
           "for i in 0..10 { a.push((base + i).chars()); }",
           "a = [[], []]; a[0].pad(900, 1); a[1].pad(900, 1);",
           "let m = #{a: [], b: []}; m.a.pad(900, 1); m.b.pad(900, 1);",
           "a.pad(10, 1); a.map(|i| { throw_if_many(); base + i })",
           "a.pad(10, 1); a.zip(a, |i, j| { throw_if_many(); base + i })",
           "a.pad(10, 1); a.for_each(|i| { throw_if_many(); this = base + i; })",
           "#{a: 1, b: 2, c: 3, d: 4}.map(|k, v| { throw_if_many(); base + k })",
       }) {
    // Three at most are made before it is seen that they are too many.
    int made = 0;
    Engine engine(limited());
    engine.add_function("throw_if_many", {}, [&made](NativeCall& call) {
      return ++made <= 3 || call.fail(ErrorKind::arithmetic, "too many");
    });
    const Compiled compiled = engine.compile(base + script);
    ASSERT_TRUE(compiled.ok()) << compiled.error.text;
    EXPECT_EQ(engine.run(*compiled.program).error.kind, "ErrorDataTooLarge") << script;
  }
}

TEST(Limits, AVariableThatManyClosuresShareCountsOnce) {
  EXPECT_EQ(result("let base = \"\"; base.pad(9000, 'x'); let a = []; "
                   "for i in 0..20 { a.push(|| base.len()); } a.len()",
                   limited()),
            "20");
  EXPECT_EQ(result("let a = []; a.pad(900, 1); let b = a; let f = || a.len() + b.len(); f.call()", limited()),
            "1800");
  EXPECT_THAT(result("let s = \"\"; s.pad(900, 'x'); let f = Fn(\"q\"); loop { f = f.curry(s); }", limited()),
              HasSubstr("ErrorDataTooLarge"));
  EXPECT_EQ(result("let a = []; let f = || a; a.push(f); let g = || [a, f]; a.len()", limited()), "1");
}

// How often the body of a loop runs on 100,000 bytes before the script has done 10,000 operations of work.
// What costs nothing but its instructions runs more than a thousand times.
int rounds(const std::string& body) {
  int count = 0;
  Settings settings = limited();
  settings.limits.operations = settings.limits.work = 10'000;
  settings.limits.string_bytes = settings.limits.array_items = std::size_t{1} << 20U;
  Engine engine(settings);
  engine.add_function("tick", {}, [&count](NativeCall&) { return ++count > 0; });
  const Value arguments[] = {Value::string(std::string(100'000, 'x')),
                             Value::string(std::string(100'000, 'x')),
                             Value::string("\u00e9" + std::string(100'000, 'x')),
                             Value::blob(std::vector<std::uint8_t>(100'000, 7))};
  const Compiled compiled = engine.compile("fn f(s, t, u, b) { loop { tick(); " + body + "; } }");
  if (!compiled.ok()) return -1;
  const Outcome outcome = engine.call(*compiled.program, "f", arguments);
  EXPECT_EQ(outcome.error.kind, "ErrorTooManyOperations") << body << ": " << outcome.error.message;
  return count;
}

TEST(Limits, WorkOnLongTextsAndBlobsIsCounted) {
  EXPECT_GT(rounds("s.bytes"), 1000);
  EXPECT_GT(rounds("s == s"), 1000);
  EXPECT_GT(rounds("s == \"x\""), 1000);
  EXPECT_GT(rounds("switch s { \"x\" => 1 }"), 1000);
  for (const char* body : {"s == t",
                           "s < t",
                           "if s != t { }",
                           "[s] == [t]",
                           "u.len()",
                           "u.get(1)",
                           "u[1]",
                           "s.starts_with(t)",
                           "s.ends_with(t)",
                           "s.contains(t)",
                           "t in s",
                           "s - t",
                           "s + t",
                           "s.index_of(t)",
                           "s.trim()",
                           "s.truncate(100000)",
                           "s.replace(\"y\", \"\")",
                           "s.remove(\"y\")",
                           "s.split(\"y\")",
                           "s.to_upper()",
                           "s.to_blob()",
                           "s.chars(0, 10)",
                           "s.sub_string(1)",
                           "u.pop()",
                           "u.set(0, 'x')",
                           "u[1] = 'x'",
                           "let v = \"\"; v += s",
                           "let v = \"\"; v.append(s)",
                           "`${s}`",
                           "print(s.to_debug())",
                           "try { s.parse_float(); } catch { }",
                           "#{a: 1}[s]",
                           "b.reverse()",
                           "b.chop(99999)",
                           "b.extract(0, 99999)",
                           "b.contains(1)",
                           "b.as_string()",
                           "b.to_array()",
                           "b == b + blob()",
                           "b.split(99999)",
                           "max(s, t)"}) {
    const int count = rounds(body);
    EXPECT_LT(count, 100) << body;
    EXPECT_GT(count, 0) << body;
  }
}

TEST(Limits, SearchingIsCountedByWhatItCanTake) {
  Settings settings = limited();
  settings.limits.string_bytes = std::size_t{1} << 20U;
  EXPECT_THAT(
      result("let s = \"\"; s.pad(1000000, 'x'); let t = \"\"; t.pad(500000, 'x'); t += \"y\"; t in s",
             settings),
      HasSubstr("ErrorTooManyOperations"));
}

TEST(Limits, AListThatGrowsItemByItemIsNotCountedAnewEachTime) {
  Settings settings = limited();
  settings.limits.operations = settings.limits.work = 100'000;
  settings.limits.array_items = 50'000;
  settings.limits.string_bytes = 100'000;
  EXPECT_EQ(result("let a = []; for i in 0..10000 { a.push(i); } a.len()", settings), "10000");
  EXPECT_EQ(
      result("let a = []; for i in 0..5000 { a.push(\"abc\"); a.pop(); a.push([i]); } a.len()", settings),
      "5000");
  // What it holds is known all the same.
  EXPECT_THAT(result("let a = []; loop { a.push([1, 2, 3]); }", settings), HasSubstr("ErrorDataTooLarge"));
  EXPECT_THAT(result("let a = []; let s = \"\"; s.pad(900, 'x'); loop { a.push(s); }", settings),
              HasSubstr("ErrorDataTooLarge"));
  EXPECT_THAT(result("let a = [[]]; a.push(1); a[0].pad(49998, 1); a.push(1);", settings),
              HasSubstr("ErrorDataTooLarge"));
  EXPECT_EQ(
      result(
          "let a = []; a.push(\"\"); a[0].pad(99999, 'x'); a.push(1); a[0] = 1; a.push(\"xxxxx\"); a.len()",
          settings),
      "3");
}

TEST(Limits, SharedPartsDoNotMakePrintingOrComparingEndless) {
  EXPECT_THAT(
      result(
          "let a = [1]; for i in 0..60 { a = [a, a]; } let b = [1]; for i in 0..60 { b = [b, b]; } a == b"),
      HasSubstr("ErrorTooManyOperations"));
}

TEST(Values, NestedAMillionDeepAreFreedWithoutRecursion) {
  EXPECT_EQ(result("let a = []; for i in 0..1000000 { a = [a]; } a.len()"), "1");
  EXPECT_EQ(result("let m = #{}; for i in 0..300000 { m = #{m: m}; } m.len()"), "1");
}

TEST(Values, RingsOfClosuresAreFreed) {
  // Nothing to see here but for the leak checker of the debug build.
  EXPECT_EQ(result("let a = []; let f = || a; a.push(f); 1"), "1");
  EXPECT_EQ(result("let a = []; let f = || a; a.push(f); throw 1"), "ErrorRuntime: Runtime error: 1");
  EXPECT_THAT(result("let a = []; let f = || a; a.push(f); f"), HasSubstr("Fn"));
}

TEST(Values, AreCopiedWhenWrittenAndNotBefore) {
  EXPECT_EQ(result("let a = [1, [2]]; let b = a; b[1].push(3); [a, b]"), "[[1, [2]], [1, [2, 3]]]");
  EXPECT_EQ(result("let m = #{l: [1]}; let n = m; n.l[0] = 9; [m.l[0], n.l[0]]"), "[1, 9]");
  EXPECT_EQ(result("let s = \"a\"; let t = s; t += \"b\"; [s, t]"), R"(["a", "ab"])");
}

TEST(BadScripts, OfAnyDepthAreRefusedNotFatal) {
  Settings open;
  open.limits.expression_depth = 0;
  open.limits.function_expression_depth = 0;
  const auto repeat = [](std::string_view text, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += text;
    return out;
  };
  for (const std::string& script :
       {repeat("(", 100'000), repeat("{", 100'000), repeat("[", 100'000), repeat("-", 100'000),
        repeat("#{a:", 100'000), repeat("if true {", 100'000), repeat("|x|", 100'000),
        repeat("a.", 100'000) + "b", repeat("a[", 100'000), repeat("1+", 100'000) + "1",
        repeat("`${", 100'000), repeat("fn f() {", 100'000), repeat("a??", 100'000) + "b",
        repeat("switch 1 { 1 => ", 100'000), repeat("else if x {}", 100'000)}) {
    Engine engine(open);
    EXPECT_FALSE(engine.compile(script).ok()) << script.substr(0, 20);
  }
  EXPECT_EQ(result(repeat("/*", 100'000) + "1"), "()");
}

TEST(BadScripts, BrokenUtf8IsNamedWithItsPlace) {
  Engine engine;
  const Compiled compiled = engine.compile("let a = 1;\nlet b = \"\xff\";");
  EXPECT_EQ(compiled.error.message, "The script is not UTF-8");
  EXPECT_EQ(compiled.error.position.line, 2U);
}

TEST(BadScripts, NumbersOutOfRangeAreFloatsOrErrors) {
  EXPECT_EQ(result("99999999999999999999"), "1e20");
  EXPECT_EQ(result("0xfffffffffffffffff"), "BadInput/MalformedNumber: Invalid number: 'fffffffffffffffff'");
  EXPECT_EQ(result("1e999"), "inf");
  const std::string zeros(400, '0');
  const std::vector<std::string> large = {"1e999", "1" + zeros, "0.1e400", "1e99999999999999999999"};
  for (const std::string& digits : large) {
    EXPECT_EQ(result("parse_float(\"" + digits + "\")"), "inf") << digits;
    EXPECT_EQ(result("parse_float(\"-" + digits + "\")"), "-inf") << digits;
  }
  const std::vector<std::string> small = {"1e-999", "0." + zeros + "1", "1" + zeros + "e-900",
                                          "1e-99999999999999999999"};
  for (const std::string& digits : small) {
    EXPECT_EQ(result("parse_float(\"" + digits + "\")"), "0.0") << digits;
    EXPECT_EQ(result(digits), "0.0") << digits;
  }
  EXPECT_THAT(result("parse_float(\"+-5\")"), HasSubstr("invalid float literal"));
  EXPECT_THAT(result("parse_int(\"+-5\")"), HasSubstr("invalid digit"));
}

TEST(BadScripts, TenMegabytesAreRefusedUnlessTheHostWantsThem) {
  std::string script;
  while (script.size() < 10'000'000) script += "let x = 1 + 2;\n";
  EXPECT_EQ(result(script).substr(0, 40), "LiteralTooLarge: The script has 10000005");
  std::string large;
  while (large.size() < 1'000'000) large += "let x = 1 + 2;\n";
  EXPECT_EQ(result(large + "x"), "3");
}

TEST(BadScripts, NamesThatTheParserMakesOutliveIt) {
  EXPECT_EQ(result("a_long_module_name::another_long_one::x"),
            "ErrorModuleNotFound: Module not found: a_long_module_name::another_long_one");
}

TEST(Leftovers, AreErrorsOfTheirOwn) {
  EXPECT_EQ(result("import \"x\" as y;"), "ErrorModuleNotFound: Module not found: x");
  EXPECT_EQ(result("sleep(1)"), "ErrorRuntime: Runtime error: sleep is not available here");
}

}  // namespace
}  // namespace rbee::rhai
