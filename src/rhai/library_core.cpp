// What works with every value: print, type_of, exit, parse_json, function metadata.
#include "rhai/library.h"
#include "rhai/parser.h"

#include "base/text.h"

namespace rbee::rhai {

namespace {
bool give_text(NativeCall& c, std::string_view text) {
  return c.machine.charge(text.size() * written_cost) && c.give(Value::string(text));
}

bool print(NativeCall& c) {
  const auto& sink = c.machine.surroundings().print;
  if (!sink) return true;
  const std::string text = c.count == 0 ? std::string() : to_text(c[0]);
  sink(text);
  return c.machine.charge(text.size() * written_cost);
}

bool debug(NativeCall& c) {
  const auto& sink = c.machine.surroundings().debug;
  if (!sink) return true;
  const std::string text = c.count == 0 ? std::string() : to_debug(c[0]);
  sink(text, c.machine.native_place());
  return c.machine.charge(text.size() * written_cost);
}

bool quit(NativeCall& c) {
  ScriptError error = make_error(ErrorKind::exit);
  if (c.count > 0) error.thrown = c[0];
  return c.fail(std::move(error));
}

// Nothing waits in rbee's scripts: a decision takes the time of its event.
bool sleep(NativeCall& c) {
  const double seconds = c[0].is_int() ? static_cast<double>(c[0].as_int()) : c[0].as_float();
  if (!(seconds > 0)) return true;
  ScriptError error = make_error(ErrorKind::runtime);
  error.thrown = Value::string("sleep is not available here");
  return c.fail(std::move(error));
}

// As the official engine without serde: the text is read as a literal of the language.
bool parse_json(NativeCall& c) {
  const Value text = c[0];
  ParseOptions options;
  options.limits = c.machine.limits();
  options.limits.expression_depth = std::max<std::size_t>(options.limits.expression_depth, 64);
  options.json = true;
  Ast ast;
  // Reading takes about an operation a byte.
  if (!c.machine.charge(text.text().size() * 8)) return false;
  Parser parser(text.text(), options, ast);
  if (!parser.parse()) {
    ScriptError error = parser.error();
    return c.fail(std::move(error));
  }
  Value value;
  if (!literal_value(*ast.main->body->kids[0], value)) {
    ScriptError error = make_error(ErrorKind::parsing, "Expecting a literal expression", {1, 1});
    error.parse_kind = "ExprExpected";
    return c.fail(std::move(error));
  }
  if (!value.is_map()) {
    ScriptError error = make_error(ErrorKind::mismatch_output_type, "map", {1, 1});
    error.actual = type_name(value);
    return c.fail(std::move(error));
  }
  return c.give(std::move(value));
}

Value metadata(const Function& function) {
  Value map = Value::map();
  MapObject& m = map.map_object();
  m.set("access", Value::string(function.is_private ? "private" : "public"));
  m.set("is_anonymous", Value::boolean(function.is_closure));
  m.set("name", function.name);
  m.set("params", Value::array(function.parameter_names));
  if (!function.this_type.empty()) m.set("this_type", Value::string(function.this_type));
  return map;
}

bool metadata_list(NativeCall& c) {
  std::vector<Value> list;
  for (const Function* function : c.machine.program().functions) {
    if (c.count > 0 && c[0].text() != function->name.text()) continue;
    if (c.count > 1 && c[1].as_int() != function->parameters) continue;
    list.push_back(metadata(*function));
  }
  return c.give(Value::array(std::move(list)));
}

bool set_tag(NativeCall& c) {
  const std::int64_t tag = c[1].as_int();
  if (tag < INT32_MIN || tag > INT32_MAX) {
    return c.fail(ErrorKind::arithmetic,
                  cat(tag, " is too ", tag < 0 ? "small" : "large", " to fit into a tag (must be between ",
                      INT32_MIN, " and ", INT32_MAX, ")"));
  }
  c[0].set_tag(static_cast<std::int32_t>(tag));
  return true;
}

bool tag(NativeCall& c) { return c.give(Value::integer(c[0].tag())); }

bool is_def_fn(NativeCall& c) {
  bool known = false;
  for (const Function* function : c.machine.program().functions) {
    const auto arity = static_cast<std::int64_t>(function->parameters);
    if (c.count == 3) {
      known = known || (function->this_type == c[0].text() && function->name.text() == c[1].text() &&
                        arity == c[2].as_int());
    } else {
      known = known ||
              (function->this_type.empty() && function->name.text() == c[0].text() && arity == c[1].as_int());
    }
  }
  return c.give(Value::boolean(known));
}

bool function_name(NativeCall& c) { return c.give(c[0].function_object().name); }
bool is_anonymous(NativeCall& c) { return c.give(Value::boolean(c[0].function_object().is_anonymous())); }
}  // namespace

void add_core_library(Registry& r) {
  r.add("print", {}, print);
  r.add("print", {any_type}, print);
  r.add("debug", {}, debug);
  r.add("debug", {any_type}, debug);
  r.add("to_string", {any_type}, [](NativeCall& c) { return give_text(c, to_text(c[0])); });
  r.add("to_debug", {any_type}, [](NativeCall& c) { return give_text(c, to_debug(c[0])); });
  r.add("type_of", {any_type}, [](NativeCall& c) { return c.give(Value::string(type_name(c[0]))); });
  r.add("is_shared", {any_type}, [](NativeCall& c) { return c.give(Value::boolean(false)); });
  r.add("exit", {}, quit);
  r.add("exit", {any_type}, quit);
  r.add(
      "take", {any_type},
      [](NativeCall& c) {
        Value taken = std::move(c[0]);
        c[0] = Value();
        return c.give(std::move(taken));
      },
      true);
  r.add("sleep", {t_number}, sleep);
  r.add("parse_json", {t_string}, parse_json);
  r.add("get_fn_metadata_list", {}, metadata_list);
  r.add("get_fn_metadata_list", {t_string}, metadata_list);
  r.add("get_fn_metadata_list", {t_string, t_int}, metadata_list);
  r.add("is_def_fn", {t_string, t_int}, is_def_fn);
  r.add("is_def_fn", {t_string, t_string, t_int}, is_def_fn);
  r.add("tag", {any_type}, tag);
  r.add_getter("tag", any_type, tag);
  r.add("set_tag", {any_type, t_int}, set_tag, true);
  r.add("name", {t_function}, function_name);
  r.add_getter("name", t_function, function_name);
  r.add("is_anonymous", {t_function}, is_anonymous);
  r.add_getter("is_anonymous", t_function, is_anonymous);
}

}  // namespace rbee::rhai
