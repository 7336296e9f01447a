# rbee_embed(NAME FILE): the bytes of FILE become `extern const std::string_view rbee::embedded::NAME`,
# so that the program needs no data folder beside it. The assembler includes the file: no generated
# array of numbers for the compiler to chew. The symbol's name ends the section's, one file each.
enable_language(ASM)
function(rbee_embed target name file)
  set(assembly ${CMAKE_BINARY_DIR}/embed/${name}.S)
  file(CONFIGURE OUTPUT ${assembly} @ONLY CONTENT "
#ifdef __APPLE__
.section __TEXT,__const
.globl _rbee_embedded_@name@, _rbee_embedded_@name@_end
_rbee_embedded_@name@: .incbin \"@file@\"
_rbee_embedded_@name@_end: .byte 0
#else
.section .rodata
.globl rbee_embedded_@name@, rbee_embedded_@name@_end
rbee_embedded_@name@: .incbin \"@file@\"
rbee_embedded_@name@_end: .byte 0
.section .note.GNU-stack,\"\",%progbits
#endif
")
  set_source_files_properties(${assembly} PROPERTIES OBJECT_DEPENDS ${file})
  target_sources(${target} PRIVATE ${assembly})
endfunction()
